//! The table of job records.

use callspool_sandbox::Fault;
use callspool_sandbox::airtable::Route;
use http::StatusCode;

use super::{doctor, put_in_order};
use crate::harness::{Table, World, story};

story! {
    async fn columns_that_are_missing_or_of_another_kind_lose(world: World, table: Table) {
        let record = table.add_record(&[("Job ID", "JOB1"), ("job_history", "by hand")]);
        for (column, kind, severity) in [
            ("job_history", "singleLineText", "advice"),
            ("job_history", "formula", "loses"),
            ("Recording URL (Twilio/S3)", "checkbox", "loses"),
            ("Job ID", "multipleAttachments", "loses"),
            ("Call SID", "button", "loses"),
        ] {
            table.set_field_kind(column, kind);
            let told = doctor(&world, &[]).await;
            assert_eq!(told.severities("column_kind"), [severity], "{column} {kind}");
            table.set_field_kind(column, "multilineText");
        }
        assert_eq!(table.history(&record), "by hand");
        table.remove_field("Call SID");
        let told = doctor(&world, &[]).await;
        let finding = told.only("records_misconfigured");
        assert_eq!(finding["severity"], "loses");
        assert!(finding["found"].as_str().expect("text").contains("Call SID"), "{finding}");
        assert_eq!(table.count(Route::Patch), 0);
        table.end(world).await;
    }
}

story! {
    async fn what_the_token_may_not_is_told(world: World, table: Table) {
        let mut world = world;
        put_in_order(&mut world).await;
        let refused = || Fault::status(StatusCode::FORBIDDEN);
        table.faults().always(Route::Schema, refused());
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, &told.only("schema_unread")["severity"]), (0, &"note".into()));
        table.faults().always(Route::PatchMany, refused());
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, &told.only("records_forbidden")["severity"]), (1, &"loses".into()));
        table.faults().clear_all();
        let told = doctor(&world, &[("AIRTABLE_TABLE", "Nowhere")]).await;
        assert_eq!(told.only("records_forbidden")["severity"], "loses");
        table.faults().always(Route::List, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, &told.only("records_unavailable")["severity"]), (3, &"unknown".into()));
        table.end(world).await;
    }
}

//! A setup in order, one without a service, and what is wrong with settings and the database.

use std::net::TcpListener;

use super::{doctor, put_in_order, run};
use crate::harness::{Table, World, story};

story! {
    async fn a_setup_in_order_has_nothing_to_lose_and_no_trace_is_left(world: World, table: Table) {
        let mut world = world;
        let record = table.job("JOB1");
        put_in_order(&mut world).await;
        let before = world.app().store.last_seq().await.expect("the store answers");
        let told = doctor(&world, &[]).await;
        let usual = if world.database.is_shared() { "archive_folder_shared" } else { "archive_same_disk" };
        assert_eq!((told.exit, told.outcome.as_str(), told.codes()), (0, "ok", vec![usual]));
        let (exit, text) = run(&world, &[], &["doctor"]).await;
        assert_eq!(exit, 0);
        assert!(text.lines().any(|line| line.starts_with("note    archive_")), "{text}");
        assert!(text.contains(&format!("(docs/doctor/{usual}.md)")) && !text.contains("4155550199"), "{text}");
        assert_eq!(world.app().store.last_seq().await.expect("the store answers"), before);
        assert_eq!((world.archive_files(), table.history(&record)), (Vec::new(), String::new()));
        table.end(world).await;
    }
}

story! {
    async fn without_a_service_everything_else_is_looked_at_all_the_same(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        world.stop().await;
        // The story keeps callspool's own port open.
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|closed| closed.local_addr()).expect("a free port");
        let told = doctor(&world, &[("APP_URL", &format!("http://{closed}"))]).await;
        assert_eq!((told.exit, told.outcome.as_str()), (1, "loses"));
        assert_eq!(told.only("callback_unreachable")["severity"], "loses");
        assert!(!told.codes().contains(&"database_unusable"));
        world.end().await;
    }
}

story! {
    async fn a_fresh_installation_is_told_what_to_do_next(world: World) {
        let fresh = world.folder.path().join("fresh");
        let (database, archive) = (format!("sqlite://{}/a/c.db", fresh.display()), format!("file://{}", fresh.display()));
        let other = [("DATABASE_URL", database.as_str()), ("ARCHIVE_URL", archive.as_str())];
        let told = doctor(&world, &other).await;
        assert_eq!(told.only("database_not_ready")["severity"], "note");
        assert!(!fresh.exists(), "doctor makes nothing");
        assert_eq!(told.only("delete_after")["severity"], "advice");
        assert_eq!(doctor(&world, &[]).await.severities("api_token_missing"), ["advice"]);
        world.end().await;
    }
}

story! {
    async fn a_database_that_can_not_be_used_loses(world: World) {
        for url in ["sqlite:///proc/callspool/c.db", "postgres://nobody:hunter2@127.0.0.1:1/x"] {
            let told = doctor(&world, &[("DATABASE_URL", url)]).await;
            assert_eq!(told.exit, 1);
            assert!(told.severities("database_unusable").contains(&"loses"), "{}", told.text);
            assert!(!told.text.contains("hunter2"), "{}", told.text);
        }
        world.database.execute("INSERT INTO schema_migrations (version, checksum) VALUES (99, 'x')").await;
        assert_eq!(doctor(&world, &[]).await.only("database_unusable")["severity"], "loses");
        world.end().await;
    }
}

story! {
    async fn a_configuration_that_makes_no_sense_is_told_as_findings(world: World) {
        let told = doctor(&world, &[("RECORDING_FORMAT", "flac"), ("TWILIO_API_KEY_SID", "SK1")]).await;
        assert_eq!((told.exit, told.outcome.as_str()), (2, "configuration"));
        assert_eq!(told.severities("configuration_invalid"), ["loses"; 2]);
        world.end().await;
    }
}

story! {
    async fn accounts_and_tokens_that_are_missing_lose(world: World) {
        let none = [("TWILIO_ACCOUNT_SID", ""), ("TWILIO_AUTH_TOKEN", "")];
        assert_eq!(doctor(&world, &none).await.only("account_missing")["severity"], "loses");
        let key = [("TWILIO_AUTH_TOKEN", ""), ("TWILIO_API_KEY_SID", "SK1"), ("TWILIO_API_KEY_SECRET", "x")];
        let told = doctor(&world, &key).await;
        assert_eq!(told.only("token_missing")["severity"], "loses");
        world.twilio.take_unexpected_requests();
        world.end().await;
    }
}

story! {
    async fn a_setting_that_changes_nothing_is_advice_and_stops_nothing(world: World) {
        let mut world = world;
        put_in_order(&mut world).await;
        let other = [("AIRTABLE_URL_FIELD", "URL"), ("S3_SSE", "AES256"), ("RECORDING_RETENTION_DAYS", "90")];
        let told = doctor(&world, &other).await;
        assert_eq!((told.exit, told.severities("setting_unused")), (0, vec!["advice"; 3]), "{}", told.text);
        for (name, why) in [("AIRTABLE_URL_FIELD", "AIRTABLE_API_KEY"), ("S3_SSE", "folder"), ("RECORDING_RETENTION_DAYS", "version")] {
            assert!(told.text.contains(name) && told.text.contains(why), "{name}: {}", told.text);
        }
        world.end().await;
    }
}

use callspool_store::catalogue::{for_sqlite, postgres_statements, statements};

use crate::scene::{Scene, connect, on_both};

on_both! { every_statement_is_understood }

async fn every_statement_is_understood(scene: &Scene) {
    let statements = statements();
    assert!(statements.len() > 100, "the catalogue is not empty");
    if scene.is_postgres() {
        let client = connect(&scene.url).await;
        for text in statements.into_iter().chain(postgres_statements()) {
            let prepared = client.prepare(&text).await;
            assert!(prepared.is_ok(), "{text}\n{:?}", prepared.err());
        }
    } else {
        let file = scene.file();
        for text in statements {
            let prepared = file.prepare(&for_sqlite(&text));
            assert!(prepared.is_ok(), "{text}\n{:?}", prepared.err());
        }
    }
}

/// What a plan may walk through: tables that stay small however much is recorded, and what a statement has just picked.
const SMALL: [&str; 10] =
    ["counters", "services", "v", "tokens", "t", "sessions", "meta", "CONSTANT", "exclusive_keys", "rate_limits"];

#[tokio::test]
async fn no_statement_walks_through_history() {
    let scene = Scene::sqlite().await;
    let file = scene.file();
    let mut offenders = Vec::new();
    for text in statements() {
        let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {}", for_sqlite(&text))).expect("a plan");
        let values = vec![rusqlite::types::Null; plan.parameter_count()];
        let lines = plan.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).expect("a plan");
        for line in lines.map(|line| line.expect("a line")) {
            // A walk along an index is short where it ends at a limit, or where the index holds open work only.
            let is_short_walk = |walked: &&str| {
                let bounded = text.contains(" LIMIT ") || walked.contains(" INDEX steps_");
                SMALL.contains(&walked.split(' ').next().unwrap_or_default()) || (walked.contains(" USING ") && bounded)
            };
            let walks = line.strip_prefix("SCAN ").is_some_and(|walked| !is_short_walk(&walked));
            let sorts = line.contains("TEMP B-TREE FOR ORDER BY") && !is_short(&text);
            if walks || sorts {
                offenders.push(format!("{line}: {text}"));
            }
        }
    }
    assert!(offenders.is_empty(), "{}", offenders.join("\n"));
    scene.end().await;
}

/// What is sorted there is what one call or one job holds, what counting leaves, or a table that stays small.
fn is_short(text: &str) -> bool {
    ["r.call_sid = $", "r.call_sid IN", "l.job_id <> $2", "FROM tokens", "COUNT(*)"]
        .iter()
        .any(|part| text.contains(part))
}

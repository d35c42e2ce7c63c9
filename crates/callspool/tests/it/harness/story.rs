//! How a story is written: once, to be told on each database.

/// Runs a story on each database: `story! { async fn name(world: World) { … } }`, with settings that differ from the
/// defaults as `story! { with ["NAME" = "text"] async fn … }`. A second argument (`table: Table`, `bucket: Bucket`) is
/// another stand-in, which callspool is configured for.
macro_rules! story {
    (async fn $name:ident($world:ident: World $(, $other:ident: $Other:ident)?) $body:block) => {
        story! { with [] async fn $name($world: World $(, $other: $Other)?) $body }
    };
    (
        with [$($setting:literal = $text:literal),*]
        async fn $name:ident($world:ident: World $(, $other:ident: $Other:ident)?) $body:block
    ) => {
        mod $name {
            use super::*;

            async fn story(kind: crate::harness::Kind) {
                let Some(mut $world) = World::prepare(kind).await else { return };
                $(let $other = $Other::beside(&mut $world).await;)?
                $($world.set($setting, $text);)*
                $world.boot().await;
                $body
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                story(crate::harness::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                story(crate::harness::Kind::Postgres).await;
            }
        }
    };
}
pub(crate) use story;

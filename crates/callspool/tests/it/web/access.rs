//! Closed by default: every route, asked by nobody, by strangers, and by each role.

use std::collections::BTreeSet;

use callspool_store::Role;
use http::Method;

use super::{Answer, Reader, send, sign_in};
use crate::harness::{World, story};

/// Every route and the least role it takes; `None`: open.
const ROUTES: &[(&str, &str, Option<Role>)] = &[
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/assets/app.css", None),
    ("GET", "/sign-in", None),
    ("POST", "/sign-in", None),
    ("GET", "/sign-in/nonsense", None),
    ("GET", "/", Some(Role::Listener)),
    ("GET", "/fragments/recordings", Some(Role::Listener)),
    ("GET", "/recordings/{recording}", Some(Role::Listener)),
    ("GET", "/fragments/recordings/{recording}", Some(Role::Listener)),
    ("POST", "/recordings/{recording}/retry", Some(Role::Operator)),
    ("GET", "/r/{recording}", Some(Role::Listener)),
    ("GET", "/calls/{call}/recording/{recording}", Some(Role::Listener)),
    ("GET", "/calls/{call}/recording/{recording}/play", Some(Role::Listener)),
    ("GET", "/metrics", Some(Role::Listener)),
    ("GET", "/openapi.json", Some(Role::Listener)),
    ("GET", "/api/stats", Some(Role::Listener)),
    ("GET", "/api/v1/stats", Some(Role::Listener)),
    ("GET", "/api/v1/queue", Some(Role::Listener)),
    ("GET", "/api/v1/events", Some(Role::Listener)),
    ("GET", "/api/v1/recordings", Some(Role::Listener)),
    ("GET", "/api/v1/recordings/{recording}", Some(Role::Listener)),
    ("POST", "/api/v1/recordings/{recording}/retry", Some(Role::Operator)),
    ("POST", "/api/v1/recordings/{recording}/url", Some(Role::Listener)),
    ("GET", "/api/v1/calls", Some(Role::Listener)),
    ("GET", "/api/v1/calls/{call}", Some(Role::Listener)),
    ("PUT", "/api/v1/calls/{call}", Some(Role::Operator)),
    ("GET", "/api/v1/jobs/{job}", Some(Role::Listener)),
];

const ROLES: [Role; 3] = [Role::Listener, Role::Operator, Role::Admin];

struct Routes(Vec<(Method, String, Option<Role>)>);

impl Routes {
    /// The table with a real recording's ids in it.
    async fn of(world: &World) -> Self {
        let placed = world.call("?job=JOB1").await;
        world.settle().await;
        let fill = |path: &str| {
            let path = path.replace("{recording}", placed.recording_sid.as_str());
            path.replace("{call}", placed.call_sid.as_str()).replace("{job}", "JOB1")
        };
        Self(ROUTES.iter().map(|(method, path, role)| (method.parse().expect("a method"), fill(path), *role)).collect())
    }
}

/// The stream of events would never end; its page asks for the same access.
const AS_JSON: [(&str, &str); 1] = [("accept", "application/json")];

story! {
    async fn every_route_asks_for_its_role_and_nobody_gets_past(world: World) {
        for (method, path, needed) in Routes::of(&world).await.0 {
            let what = format!("{method} {path}");
            let answer = send(&world, method.clone(), &path, &AS_JSON).await;
            let stranger = [("authorization", "Bearer cs_0000"), AS_JSON[0]];
            let guessed = [("cookie", "callspool_session=0000"), AS_JSON[0]];
            let Some(needed) = needed else {
                assert!(answer.code_of_access().is_none(), "{what} is open, and answered {}", answer.status);
                continue;
            };
            assert_eq!((answer.status, answer.code().as_str()), (401, "sign_in_first"), "{what}, asked by nobody");
            for headers in [&stranger, &guessed] {
                assert_eq!(send(&world, method.clone(), &path, headers).await.status, 401, "{what}, asked with {headers:?}");
            }
            for role in ROLES {
                let answer = Reader::new(&world, role).await.ask(method.clone(), &path, &AS_JSON).await;
                let expected = (role < needed).then(|| "role_too_low".to_owned());
                assert_eq!(answer.code_of_access(), expected, "{what}, asked by {role:?}: {}", answer.text());
            }
        }
        world.end().await;
    }
}

impl Answer {
    /// The code of a refusal that has to do with access. The open sign-in's own answer to a wrong token is a page.
    fn code_of_access(&self) -> Option<String> {
        let refused = matches!(self.status, 401 | 403) && self.header("content-type") == "application/json";
        refused.then(|| self.code())
    }
}

story! {
    async fn the_table_above_has_every_route_that_is_described(world: World) {
        let description = Reader::new(&world, Role::Listener).await.get("/openapi.json").await.json();
        let paths = description["paths"].as_object().expect("paths");
        assert!(paths.len() > 8, "{paths:?}");
        let mut operations = BTreeSet::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().expect("methods") {
                assert!(operations.insert(operation["operationId"].to_string()), "{method} {path} has another's operationId");
                let known = ROUTES.iter().any(|(named, route, _)| named.eq_ignore_ascii_case(method) && route == path);
                assert!(known, "{method} {path} is not in the table of this test");
            }
        }
        world.end().await;
    }
}

story! {
    async fn a_revoked_token_opens_nothing_any_more(world: World) {
        let reader = Reader::new(&world, Role::Admin).await;
        assert_eq!(reader.get("/api/v1/stats").await.status, 200);
        for token in world.app().store.list_tokens().await.expect("tokens") {
            assert!(world.app().store.revoke_token(&token.id, world.clock.now()).await.expect("revoked"));
        }
        assert_eq!(reader.get("/api/v1/stats").await.status, 401);
        world.end().await;
    }
}

story! {
    async fn a_session_changes_something_only_from_a_page_of_ours(world: World) {
        let placed = world.call("?job=JOB1").await;
        world.settle().await;
        let session = sign_in(&world, Role::Operator).await;
        let ours = world.url("");
        let paths = [
            format!("/api/v1/recordings/{}/retry", placed.recording_sid),
            format!("/recordings/{}/retry", placed.recording_sid),
        ];
        for path in paths {
            let with = async |headers: &[(&str, &str)]| {
                let headers: Vec<_> = [("cookie", session.as_str())].into_iter().chain(headers.iter().copied()).collect();
                send(&world, Method::POST, &path, &headers).await
            };
            for foreign in [
                &[][..],
                &[("origin", "https://evil.example")],
                &[("origin", "null")],
                &[("sec-fetch-site", "cross-site"), ("origin", ours.as_str())],
                &[("sec-fetch-site", "same-site")],
            ] {
                let answer = with(foreign).await;
                assert_eq!((answer.status, answer.code().as_str()), (403, "cross_site"), "{path} with {foreign:?}");
            }
            assert!(with(&[("origin", &ours)]).await.status < 400, "{path}");
            assert!(with(&[("sec-fetch-site", "same-origin")]).await.status < 400, "{path}");
        }
        let answer = send(&world, Method::GET, "/api/v1/stats", &[("cookie", &session)]).await;
        assert_eq!(answer.status, 200, "reading needs no page of ours");
        world.end().await;
    }
}

story! {
    async fn every_answer_keeps_browsers_strict(world: World) {
        let session = sign_in(&world, Role::Listener).await;
        for path in ["/", "/healthz", "/nowhere", "/api/v1/recordings", "/assets/app.js", "/sign-in"] {
            let answer = send(&world, Method::GET, path, &[("cookie", &session)]).await;
            let policy = answer.header("content-security-policy");
            assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        }
        world.end().await;
    }
}

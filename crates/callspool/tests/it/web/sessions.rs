//! Signing in and out, tickets, and where a sign-in leads.

use std::time::Duration;

use callspool_store::Role;
use http::Method;

use super::{Answer, cookie, post_token, send, sign_in};
use crate::harness::{World, story};

const HOUR: Duration = Duration::from_secs(3600);

async fn front_page(world: &World, session: &str) -> Answer {
    send(world, Method::GET, "/", &[("cookie", session), ("accept", "text/html")]).await
}

story! {
    async fn a_session_lasts_twelve_hours_or_until_signing_out(world: World) {
        let session = sign_in(&world, Role::Listener).await;
        world.advance(12 * HOUR - Duration::from_secs(1)).await;
        assert_eq!(front_page(&world, &session).await.status, 200);
        world.advance(Duration::from_secs(2)).await;
        assert_eq!(front_page(&world, &session).await.status, 303);

        let session = sign_in(&world, Role::Listener).await;
        let forged = send(&world, Method::POST, "/sign-out", &[("cookie", &session)]).await;
        assert_eq!(forged.status, 403, "another site must not sign anybody out");
        let ours = world.url("");
        let out = send(&world, Method::POST, "/sign-out", &[("cookie", &session), ("origin", &ours)]).await;
        assert_eq!(out.status, 303);
        assert_eq!(front_page(&world, &session).await.status, 303, "the session is gone, not only its cookie");
        world.end().await;
    }
}

story! {
    async fn the_cookie_stays_out_of_reach_of_scripts_and_other_sites(world: World) {
        let token = world.token(Role::Listener).await;
        let answer = post_token(&world, &token, "/").await;
        let set = answer.header("set-cookie");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
            assert!(set.contains(attribute), "{set}");
        }
        assert!(!set.contains("Secure"), "this world is reached by plain HTTP: {set}");
        assert!(!set.contains(&token), "the token itself is never handed out again");
        world.end().await;
    }
}

story! {
    async fn people_are_led_to_the_sign_in_page_and_back(world: World) {
        let path = "/r/RE00000000000000000000000000000001?x=a%20b";
        let answer = send(&world, Method::GET, path, &[("accept", "text/html,*/*")]).await;
        assert_eq!(answer.status, 303);
        let location = answer.header("location").to_owned();
        assert!(location.starts_with("/sign-in?next=%2Fr%2FRE"), "{location}");
        let page = send(&world, Method::GET, &location, &[]).await.text();
        assert!(page.contains(r#"name="next" value="/r/RE00000000000000000000000000000001?x=a%20b""#), "{page}");
        let token = world.token(Role::Listener).await;
        assert_eq!(post_token(&world, &token, path).await.header("location"), path);
        world.end().await;
    }
}

story! {
    async fn a_sign_in_never_leads_to_another_site(world: World) {
        let token = world.token(Role::Listener).await;
        for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "\r\nx: y"] {
            let answer = post_token(&world, &token, next).await;
            assert_eq!((answer.status, answer.header("location")), (303, "/"), "{next:?}");
        }
        world.end().await;
    }
}

story! {
    async fn a_wrong_token_gets_no_session_and_guessers_are_slowed_down(world: World) {
        let mut statuses = Vec::new();
        for _ in 0..25 {
            let answer = post_token(&world, "cs_guess", "/").await;
            assert_eq!(answer.header("set-cookie"), "");
            statuses.push(answer.status);
        }
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 20, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5, "{statuses:?}");
        sign_in(&world, Role::Listener).await;
        world.end().await;
    }
}

story! {
    async fn another_site_can_not_sign_anybody_in(world: World) {
        let token = world.token(Role::Listener).await;
        let form = world.http.post(world.url("/sign-in")).form(&[("token", &token)]).header("origin", "https://evil.example");
        let answer = Answer::of(form.send().await.expect("an answer")).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
        world.end().await;
    }
}

story! {
    async fn a_ticket_signs_in_once_within_ten_minutes(world: World) {
        let token = world.token(Role::Operator).await;
        let ticket = async || {
            let address = callspool::web::sign_in_address(world.app(), &token).await.expect("the store answers");
            address.expect("the token is good").strip_prefix(&world.url("")).expect("an address of ours").to_owned()
        };
        let address = ticket().await;
        assert!(!address.contains(&token));
        assert_eq!(send(&world, Method::HEAD, &address, &[]).await.header("set-cookie"), "", "a preview takes no ticket");
        let session = cookie(&send(&world, Method::GET, &address, &[]).await);
        assert_eq!(front_page(&world, &session).await.status, 200);
        assert_eq!(send(&world, Method::GET, &address, &[]).await.header("set-cookie"), "", "it was used");

        let unused = ticket().await;
        let secret = unused.rsplit('/').next().expect("a secret");
        let as_session = front_page(&world, &format!("callspool_session={secret}")).await;
        assert_eq!(as_session.status, 303, "a ticket is no session");
        let secret = session.rsplit('=').next().expect("a secret");
        let as_ticket = send(&world, Method::GET, &format!("/sign-in/{secret}"), &[]).await;
        assert_eq!(as_ticket.header("set-cookie"), "", "a session is no ticket");

        let late = ticket().await;
        world.advance(Duration::from_secs(601)).await;
        assert_eq!(send(&world, Method::GET, &late, &[]).await.header("set-cookie"), "", "it came too late");
        assert_eq!(callspool::web::sign_in_address(world.app(), "cs_unknown").await.expect("the store answers"), None);
        world.end().await;
    }
}

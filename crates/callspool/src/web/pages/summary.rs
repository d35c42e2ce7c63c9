//! The head of the live page: how many recordings stand where, what is queued, and which services are out.

use callspool_domain::recording::Status;
use callspool_domain::{Service, StepState, Timestamp};
use callspool_store::{QueueCount, Result, ServiceState, Stats};
use maud::{Markup, html};

use super::words::{count, length, moment, size};
use crate::lifecycle::App;
use crate::web::site::Site;

/// The totals.
#[derive(Debug)]
pub(crate) struct Summary {
    stats: Stats,
    queue: Vec<QueueCount>,
    services: Vec<ServiceState>,
}

impl Summary {
    /// Reads them; costs the same however many recordings there are.
    pub(crate) async fn read(app: &App) -> Result<Self> {
        let (stats, queue, services) = (app.store.stats(), app.store.queue(), app.store.services());
        Ok(Self { stats: stats.await?, queue: queue.await?, services: services.await? })
    }

    /// True while no recording has ever been announced.
    pub(crate) fn is_empty(&self) -> bool {
        self.stats.recordings.values().all(|count| *count == 0)
    }

    /// The cards and, where there is one, the notice of an outage.
    pub(crate) fn show(&self, site: &Site, selected: Option<Status>, now: Timestamp) -> Markup {
        html! {
            section.counts aria-label="Totals" {
                @for status in [Status::Archived, Status::Announced, Status::Absent, Status::Failed, Status::Missing] {
                    (self.card(site, status, selected))
                }
                // Most installations never have one.
                @if self.stats.recordings.contains_key(&Status::Sealed) { (self.card(site, Status::Sealed, selected)) }
                (self.queue_card())
            }
            @for service in &self.services {
                @if let Some(since) = service.down_since {
                    p.outage role="alert" {
                        strong { (out(service.service)) } " First failed " (moment(since, now)) ". "
                        code { (service.code.as_str()) } " "
                        span.quiet { "Work waits and goes on by itself. " (service.detail) }
                    }
                }
            }
        }
    }

    fn card(&self, site: &Site, status: Status, selected: Option<Status>) -> Markup {
        let number = self.stats.recordings.get(&status).copied().unwrap_or(0);
        let is_selected = selected == Some(status);
        let target = if is_selected { "/".to_owned() } else { format!("/?status={status}") };
        let class = format!("count {status}{}", if number == 0 { " none" } else { "" });
        html! {
            a class=(class) href=(site.href(&target)) aria-current=[is_selected.then_some("true")] {
                strong { (count(number)) }
                span { (status) }
                @if status == Status::Archived && number > 0 {
                    small { (length(self.stats.archived_ms)) " · " (size(self.stats.archived_bytes)) }
                }
            }
        }
    }

    fn queue_card(&self) -> Markup {
        let of = |state| self.queue.iter().filter(|count| count.state == state).map(|count| count.steps).sum::<u64>();
        let (waiting, running, parked) = (of(StepState::Waiting), of(StepState::Running), of(StepState::Parked));
        html! {
            div.count.queue.none[waiting + running + parked == 0] {
                strong { (count(waiting + running)) }
                span { "queued" }
                @if running > 0 || parked > 0 {
                    small {
                        @if running > 0 { (count(running)) " running" }
                        @if running > 0 && parked > 0 { " · " }
                        @if parked > 0 { b.parked { (count(parked)) " need you" } }
                    }
                }
            }
        }
    }
}

fn out(service: Service) -> &'static str {
    match service {
        Service::Provider => "The provider is out.",
        Service::Archive => "The archive is out.",
        Service::Records => "The job records are out.",
    }
}

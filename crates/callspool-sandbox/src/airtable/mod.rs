//! A stand-in for Airtable: one base with one table of text fields, with the limits, penalties and refusals of the real
//! one (<https://airtable.com/developers/web/api/introduction>).

mod formula;
mod limits;
mod list;
mod refusal;
mod rest;
mod state;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use callspool_domain::{Clock, Secret};
use http::request::Parts;
use http::{Method, StatusCode};

use crate::server::{self, Server, Service};
pub use formula::lists;
use limits::Limiter;
use refusal::Refusal;
use state::Table;

/// A running stand-in for Airtable.
pub type Airtable = Server<Records>;

/// How an [`Airtable`] is set up.
#[derive(Debug, Clone)]
pub struct AirtableOptions {
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// Its clock: dates of creation, and the limits where there are any.
    pub clock: Clock,
    /// The personal access token it knows.
    pub token: Secret,
    /// The base's id.
    pub base: String,
    /// The table's name; its id works as well.
    pub table: String,
    /// The table's fields, all of text.
    pub fields: Vec<String>,
    /// Requests a second before 429 and its penalty of 30 s; Airtable's own limit is 5. `None` is no limit.
    pub requests_per_second: Option<u32>,
}

impl AirtableOptions {
    /// A table `Jobs` with the columns that callspool uses by default, without limits.
    pub fn new(clock: Clock) -> Self {
        Self {
            port: 0,
            clock,
            token: Secret::new("patSandbox.0123456789"),
            base: "appSandbox0000001".to_owned(),
            table: "Jobs".to_owned(),
            fields: ["Job ID", "Call SID", "job_history", "Recording URL (Twilio/S3)"].map(str::to_owned).to_vec(),
            requests_per_second: None,
        }
    }
}

/// The kinds of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// Reading one record.
    Get,
    /// Reading a list, by GET or by POST.
    List,
    /// Writing cells of one record.
    Patch,
    /// Writing cells of up to ten records, also as an upsert.
    PatchMany,
    /// Making records.
    Create,
    /// Deleting records.
    Delete,
    /// The base's tables and their fields.
    Schema,
}

impl server::Route for Route {
    const ALL: &'static [Self] =
        &[Self::Get, Self::List, Self::Patch, Self::PatchMany, Self::Create, Self::Delete, Self::Schema];
}

/// What answers in an [`Airtable`].
#[derive(Debug)]
pub struct Records {
    clock: Clock,
    token: Secret,
    base: String,
    limiter: Limiter,
    table: Mutex<Table>,
}

impl Records {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Airtable {
    /// Starts it on 127.0.0.1.
    ///
    /// # Errors
    /// When the port can't be had.
    pub async fn start(options: AirtableOptions) -> io::Result<Self> {
        let port = options.port;
        let records = Records {
            limiter: Limiter::new(options.requests_per_second),
            table: Mutex::new(Table::new(&options.table, &options.fields)),
            clock: options.clock,
            token: options.token,
            base: options.base,
        };
        Self::open(port, |_| Ok(records)).await
    }

    /// Makes a record with these cells (by field name) and returns its id. Cells of unknown fields are left out.
    pub fn add_record(&self, cells: &[(&str, &str)]) -> String {
        let now = self.service().clock.now();
        let mut table = self.service().table();
        let id = table.create(now);
        cells.iter().for_each(|(field, text)| table.set(&id, field, text));
        id
    }

    /// A record's cells by field name; an empty cell is not among them.
    pub fn record(&self, id: &str) -> Option<BTreeMap<String, String>> {
        self.service().table().cells(id)
    }

    /// One cell's text, empty where the cell is.
    pub fn cell(&self, id: &str, field: &str) -> String {
        self.record(id).and_then(|mut cells| cells.remove(field)).unwrap_or_default()
    }

    /// The ids of all records, in the order they were made.
    pub fn records(&self) -> Vec<String> {
        self.service().table().ids()
    }

    /// A person writes a cell. No effect on an unknown record or field.
    pub fn edit_cell(&self, id: &str, field: &str, text: &str) {
        self.service().table().set(id, field, text);
    }

    /// A person adds text to the end of a cell right after the next time a client has read that record, so between its
    /// read and its write.
    pub fn type_after_next_read(&self, id: &str, field: &str, text: &str) {
        self.service().table().type_after_next_read(id, field, text);
    }

    /// A person deletes a record. No effect on an unknown one.
    pub fn delete_record(&self, id: &str) {
        self.service().table().delete(id);
    }

    /// A person adds a column. No effect where there is one of this name.
    pub fn add_field(&self, name: &str) {
        self.service().table().add_field(name);
    }

    /// A person makes a column one of another kind, e.g. `checkbox`. What is in it stays. No effect on an unknown one.
    pub fn set_field_kind(&self, name: &str, kind: &str) {
        self.service().table().set_field_kind(name, kind);
    }

    /// A person takes a column away, and what is in it.
    pub fn remove_field(&self, name: &str) {
        self.service().table().remove_field(name);
    }

    /// How often a client has earned the penalty for too many requests.
    pub fn penalties(&self) -> u64 {
        self.service().limiter.penalties()
    }
}

impl Service for Records {
    type Route = Route;

    fn aim(&self, head: &Parts) -> Option<(Route, String)> {
        if let Some(base) = rest::schema_of(head.uri.path()) {
            return Some((Route::Schema, base));
        }
        let (_, _, rest) = rest::split(head.uri.path())?;
        let route = match (head.method.clone(), rest.as_deref()) {
            (Method::GET, None) | (Method::POST, Some("listRecords")) => Route::List,
            (Method::GET, Some(_)) => Route::Get,
            (Method::PATCH, None) => Route::PatchMany,
            (Method::PATCH, Some(_)) => Route::Patch,
            (Method::POST, None) => Route::Create,
            (Method::DELETE, _) => Route::Delete,
            _ => return None,
        };
        let subject = rest.filter(|_| route != Route::List).unwrap_or_default();
        Some((route, subject))
    }

    fn own_error(&self, _: Route, status: StatusCode) -> Response {
        match status {
            StatusCode::UNAUTHORIZED => Refusal::unauthorized(),
            StatusCode::FORBIDDEN => Refusal::forbidden(),
            StatusCode::NOT_FOUND => Refusal::not_found(),
            StatusCode::TOO_MANY_REQUESTS => Refusal::throttled(),
            _ => Refusal::new(status, "INVALID_REQUEST_UNKNOWN", "scripted by the sandbox"),
        }
        .answer()
    }

    async fn answer(&self, request: axum::extract::Request) -> Response {
        rest::answer(self, request).await
    }
}

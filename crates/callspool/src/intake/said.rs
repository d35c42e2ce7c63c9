//! Single values of what the provider says, made harmless.

use callspool_domain::JobId;

use super::form::Fields;
use super::refusal::Refusal;

/// Words longer than any provider's are cut: they are shown and filtered by, never followed.
const LONGEST_WORD: usize = 64;

/// A word of the provider's, without control characters.
pub(super) fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_WORD).collect()
}

/// `?job=`. One that can't be a job id must not cost the recording: it is told, and the call is tied later.
pub(super) fn job(query: &Fields, subject: &str) -> Result<Option<JobId>, Refusal> {
    let job = query.get("job")?.map(JobId::parse).transpose();
    Ok(job.unwrap_or_else(|error| {
        tracing::warn!(subject, %error, "job_id_refused");
        None
    }))
}

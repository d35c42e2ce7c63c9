//! What the sandbox promises, seen from the wire.

#[cfg(test)]
mod airtable;
#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod twilio;
#[cfg(test)]
mod wire;

//! The CloudTrail API on loopback: what the AWS CLI, boto3 and every SDK speak, answered from a store.
//!
//! ```text
//! HTTP ─wire─▶ who calls (sigv4, principal) ─▶ what is asked (model) ─▶ may they (policy) ─▶ an operation ─▶ JSON
//!                                                                                            └▶ audit
//! ```
//!
//! [`Server::bind`] opens the store and the port, [`Server::run`] serves. The protocol is AWS JSON 1.1; what the operations
//! take and answer is written in the service model (`model.json`). Operations are in modules by what they are about:
//! `queries`, `event_data_stores`, `imports`, `policies`, `channels`, `dashboards`, `lookup`.
//!
//! Two runtimes: one for the wire, which only waits, and one with deep stacks for queries, which computes.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod access;
mod audit;
mod call;
mod channels;
mod condition;
mod dashboards;
mod delivery;
mod error;
mod event_data_stores;
mod fault;
mod imports;
mod lookup;
mod model;
mod page;
mod policy;
mod principal;
mod queries;
mod results;
mod run;
mod server;
mod service;
mod signing;
mod sigv4;
mod spool;
mod tags;
mod wire;

pub use error::{Error, Result};
pub use server::{Options, Server};
pub use service::Sample;

//! StartImport, GetImport, ListImports, StopImport, ListImportFailures: the ingester behind Lake's way to fill a store.

use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use cloudtarn_ingest::{Progress, Summary};
use cloudtarn_source::{Day, Filter, Kind, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::Target;
use crate::call::{Call, Reply, seconds};
use crate::fault::{Answer, Fault};
use crate::service::{Service, read};

/// Kind of the documents.
const IMPORT: &str = "import";
const LISTED: usize = 1000;
/// How often an import looks whether another writer has ended.
const PAUSE: Duration = Duration::from_millis(500);
const INTERRUPTED: &str = "The server was stopped while the import ran. Start the import again by its id.";

/// One import, kept for good.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Import {
    id: String,
    account: String,
    destination: String,
    store: String,
    name: String,
    source: Value,
    start: Option<i64>,
    end: Option<i64>,
    status: String,
    created: i64,
    updated: i64,
    files: u64,
    events: u64,
    failed: u64,
    failures: Vec<Failure>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Failure {
    location: String,
    kind: String,
    message: String,
    time: i64,
}

/// The import that runs, if one does.
#[derive(Debug, Default)]
pub(crate) struct Imports(Mutex<Option<Live>>);

#[derive(Debug)]
struct Live {
    id: String,
    store: String,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

impl Imports {
    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an import into the store runs.
    pub(crate) fn runs_into(&self, store: &str) -> bool {
        self.live().as_ref().is_some_and(|live| live.store == store)
    }

    /// Asks the import to end.
    pub(crate) async fn close(&self) {
        for _ in 0..100 {
            match self.live().as_ref() {
                Some(live) => live.stop.store(true, Ordering::Relaxed),
                None => return,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// An address that a caller names: a bucket's, or a folder's without tricks.
///
/// # Errors
/// What is wrong with it, or that it is not below one of the roots.
pub(crate) fn check_location(uri: &str, roots: Option<&[String]>) -> Result<(), String> {
    let below_s3 = |root: &String| {
        let root = root.trim_end_matches('/');
        uri == root || uri.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
    };
    let dots = |text: &str| text.split('/').any(|part| part == ".." || part == ".");
    if let Some(rest) = uri.strip_prefix("s3://") {
        if rest.is_empty() || rest.starts_with('/') || dots(rest) || rest.contains('\0') {
            return Err("it names no bucket, or has `.` or `..` in its prefix".to_owned());
        }
        return match roots {
            Some(roots) if !roots.iter().any(below_s3) => {
                Err("the configuration does not allow that bucket or prefix".to_owned())
            }
            _ => Ok(()),
        };
    }
    let Some(path) = uri.strip_prefix("file://") else {
        return Err("it is neither s3://bucket/prefix nor file:///folder".to_owned());
    };
    let path = Path::new(path);
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain || dots(uri) || uri.contains(['\0', '%']) {
        return Err("a folder is file:/// and an absolute path without `.`, `..` or escapes".to_owned());
    }
    let Some(roots) = roots else { return Ok(()) };
    // What exists of the path, links followed, must be below a root.
    let real = path.ancestors().find_map(|ancestor| {
        let real = ancestor.canonicalize().ok()?;
        Some(path.strip_prefix(ancestor).map_or(real.clone(), |rest| real.join(rest)))
    });
    let below = |root: &String| {
        let root = Path::new(root.strip_prefix("file://").unwrap_or(root)).canonicalize();
        matches!((&real, root), (Some(real), Ok(root)) if real.starts_with(&root))
    };
    if roots.iter().any(below) { Ok(()) } else { Err("the configuration does not allow that folder".to_owned()) }
}

fn day(millis: i64) -> Option<Day> {
    DateTime::from_timestamp_millis(millis)?.format("%Y-%m-%d").to_string().parse().ok()
}

impl Service {
    /// Marks what another server broke off.
    pub(crate) fn reopen_imports(&self) -> Answer<()> {
        for document in self.store.documents(IMPORT, None)? {
            let Some(mut import) = read::<Import>(&document) else { continue };
            if import.status == "IN_PROGRESS" || import.status == "INITIALIZING" {
                let time = chrono::Utc::now().timestamp_millis();
                let location = uri_of(&import.source).to_owned();
                import.failures.push(Failure {
                    location,
                    kind: "Interrupted".to_owned(),
                    message: INTERRUPTED.to_owned(),
                    time,
                });
                "FAILED".clone_into(&mut import.status);
                self.save_import(&import)?;
            }
        }
        Ok(())
    }

    fn save_import(&self, import: &Import) -> Answer<()> {
        self.keep(IMPORT, &import.id, &import.account, import.created, import)
    }

    pub(crate) async fn start_import(self: &Arc<Self>, call: &Call) -> Answer<Reply> {
        let id = call.text("ImportId");
        let given = ["Destinations", "ImportSource", "StartEventTime", "EndEventTime"]
            .iter()
            .any(|name| call.input.contains_key(*name));
        let import = match (id, given) {
            ("", true) => self.new_import(call)?,
            (id, false) if !id.is_empty() => self.import_again(call, id)?,
            _ => return Err(Fault::invalid("Give either ImportId, to retry, or Destinations and ImportSource.")),
        };
        let uri = uri_of(&import.source).to_owned();
        let roots = self.principals().import_roots.as_deref();
        let invalid = |reason: String| Fault::new("InvalidImportSourceException", format!("{uri}: {reason}"));
        check_location(&uri, roots).map_err(invalid)?;
        let source = Source::open(&uri, &cloudtarn_source::Options::default())
            .await
            .map_err(|error| invalid(error.to_string()))?;
        let (stop, progress) = (Arc::new(AtomicBool::new(false)), Arc::new(Progress::default()));
        {
            let mut live = self.imports.live();
            if live.is_some() {
                let message = "A previous import is still in progress.";
                return Err(Fault::new("AccountHasOngoingImportException", message));
            }
            let (stop, progress) = (Arc::clone(&stop), Arc::clone(&progress));
            *live = Some(Live { id: import.id.clone(), store: import.store.clone(), stop, progress });
        }
        if let Err(fault) = self.save_import(&import) {
            *self.imports.live() = None;
            return Err(fault);
        }
        let told = told(&import);
        let service = Arc::clone(self);
        tokio::spawn(async move { service.import(import, source, stop, progress).await });
        Ok(told.into())
    }

    fn new_import(&self, call: &Call) -> Answer<Import> {
        let destination = call.input.get("Destinations").and_then(|list| list.get(0)).and_then(Value::as_str);
        let destination = destination.ok_or_else(|| Fault::invalid("Destinations is required for a new import."))?;
        let target = self.import_target(call, destination)?;
        let source = call.input.get("ImportSource").cloned();
        let source = source.ok_or_else(|| Fault::invalid("ImportSource is required for a new import."))?;
        let (start, end) = (call.time_of("StartEventTime"), call.time_of("EndEventTime"));
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(Fault::invalid("StartEventTime is after EndEventTime."));
        }
        Ok(Import {
            id: uuid::Uuid::new_v4().to_string(),
            account: call.caller.account.clone(),
            destination: target.arn,
            store: target.store.id,
            name: target.store.name,
            source,
            start,
            end,
            status: "INITIALIZING".to_owned(),
            created: call.now(),
            updated: call.now(),
            files: 0,
            events: 0,
            failed: 0,
            failures: Vec::new(),
        })
    }

    fn import_again(&self, call: &Call, id: &str) -> Answer<Import> {
        let mut import = self.import_of(call, id)?;
        if import.status == "IN_PROGRESS" || import.status == "INITIALIZING" {
            let message = "The import is still in progress.";
            return Err(Fault::new("AccountHasOngoingImportException", message));
        }
        let target = self.import_target(call, &import.destination)?;
        import.name = target.store.name;
        "INITIALIZING".clone_into(&mut import.status);
        import.updated = call.now();
        import.failures.clear();
        Ok(import)
    }

    fn import_target(&self, call: &Call, name: &str) -> Answer<Target> {
        let target = self.own(call, name)?;
        self.require_active(&target)?;
        Ok(target)
    }

    /// An import of the caller's account.
    fn import_of(&self, call: &Call, id: &str) -> Answer<Import> {
        self.require(call, "*")?;
        let import: Option<Import> = self.kept(IMPORT, id)?;
        let import = import.filter(|import| import.account == call.caller.account);
        let mut import = import.ok_or_else(|| Fault::new("ImportNotFoundException", "The import was not found."))?;
        if let Some(live) = self.imports.live().as_ref().filter(|live| live.id == id) {
            import.count(&live.progress);
        }
        Ok(import)
    }

    /// Runs the ingester to its end.
    async fn import(
        self: Arc<Self>,
        mut import: Import,
        source: Source,
        stop: Arc<AtomicBool>,
        progress: Arc<Progress>,
    ) {
        "IN_PROGRESS".clone_into(&mut import.status);
        if self.save_import(&import).is_err() {
            tracing::error!(id = %import.id, "the state of an import can't be written down");
        }
        let mut options = cloudtarn_ingest::Options::new(self.store.root().to_path_buf());
        options.event_data_store = Some(import.name.clone());
        options.import = true;
        // What the store takes may have changed since the days were listed.
        options.full = true;
        options.filter = Filter {
            since: import.start.and_then(day),
            until: import.end.and_then(day),
            kinds: vec![Kind::CloudTrail, Kind::Insight, Kind::NetworkActivity, Kind::Aggregated],
            ..Filter::default()
        };
        let ended = loop {
            let run = Box::pin(cloudtarn_ingest::run(
                vec![source.clone()],
                &options,
                Arc::clone(&progress),
                Arc::clone(&stop),
            ));
            match run.await {
                // Another process writes, or what waited for the audit log is being taken in.
                Err(cloudtarn_ingest::Error::Store(cloudtarn_store::Error::Busy(_)))
                    if !stop.load(Ordering::Relaxed) =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                ended => break ended,
            }
        };
        import.count(&progress);
        import.updated = chrono::Utc::now().timestamp_millis();
        let status = match ended {
            Ok(summary) => {
                import.fail(&summary);
                if summary.interrupted {
                    "STOPPED"
                } else if import.failed > 0 {
                    "FAILED"
                } else {
                    "COMPLETED"
                }
            }
            Err(_) if stop.load(Ordering::Relaxed) => "STOPPED",
            Err(error) => {
                tracing::error!(%error, id = %import.id, "an import failed");
                let location = uri_of(&import.source).to_owned();
                let message = "The server could not write to its store; its log says why.".to_owned();
                import.failures.push(Failure {
                    location,
                    kind: "InternalFailure".to_owned(),
                    message,
                    time: import.updated,
                });
                import.failed += 1;
                "FAILED"
            }
        };
        status.clone_into(&mut import.status);
        if self.save_import(&import).is_err() {
            tracing::error!(id = %import.id, "the end of an import can't be written down");
        }
        *self.imports.live() = None;
    }

    pub(crate) fn get_import(&self, call: &Call) -> Answer<Reply> {
        let import = self.import_of(call, call.text("ImportId"))?;
        Ok(with_statistics(&import).into())
    }

    pub(crate) fn stop_import(&self, call: &Call) -> Answer<Reply> {
        let mut import = self.import_of(call, call.text("ImportId"))?;
        let stopped = self
            .imports
            .live()
            .as_ref()
            .filter(|live| live.id == import.id)
            .map(|live| live.stop.store(true, Ordering::Relaxed));
        if stopped.is_none() {
            return Err(Fault::invalid(format!("The import is in the status {}.", import.status)));
        }
        "STOPPED".clone_into(&mut import.status);
        Ok(with_statistics(&import).into())
    }

    pub(crate) fn list_imports(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let destination = match call.text("Destination") {
            "" => None,
            name => Some(self.own(call, name)?.arn),
        };
        let status = call.text("ImportStatus");
        let imports = self.store.documents(IMPORT, Some(&call.caller.account))?;
        let imports: Vec<Value> = imports
            .iter()
            .filter_map(read::<Import>)
            .filter(|import| destination.as_ref().is_none_or(|arn| *arn == import.destination))
            .filter(|import| status.is_empty() || status == import.status)
            .map(|import| {
                json!({
                    "ImportId": import.id,
                    "ImportStatus": import.status,
                    "Destinations": [import.destination],
                    "CreatedTimestamp": seconds(import.created),
                    "UpdatedTimestamp": seconds(import.updated),
                })
            })
            .collect();
        let (page, token) = self.page(call, imports, LISTED)?;
        let mut answer = json!({"Imports": page});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer.into())
    }

    pub(crate) fn list_import_failures(&self, call: &Call) -> Answer<Reply> {
        let import = self.import_of(call, call.text("ImportId")).map_err(|mut fault| {
            if fault.code == "ImportNotFoundException" {
                "InvalidParameterException".clone_into(&mut fault.code);
            }
            fault
        })?;
        let failures: Vec<Value> = import
            .failures
            .iter()
            .map(|failure| {
                json!({
                    "Location": failure.location,
                    "Status": "FAILED",
                    "ErrorType": failure.kind,
                    "ErrorMessage": failure.message,
                    "LastUpdatedTime": seconds(failure.time),
                })
            })
            .collect();
        let (page, token) = self.page(call, failures, LISTED)?;
        let mut answer = json!({"Failures": page});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer.into())
    }
}

impl Import {
    fn count(&mut self, progress: &Progress) {
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        self.files = of(&progress.files) + of(&progress.passed);
        self.events = of(&progress.events);
        self.failed = of(&progress.problems);
    }

    fn fail(&mut self, summary: &Summary) {
        let time = self.updated;
        let kinds =
            [("InvalidFormat", &summary.broken), ("Unreadable", &summary.unread), ("NotListed", &summary.unlisted)];
        self.failures = kinds
            .iter()
            .flat_map(|(kind, problems)| problems.first.iter().map(move |problem| (kind, problem)))
            .map(|(kind, problem)| Failure {
                location: problem.path.clone(),
                kind: (*kind).to_owned(),
                message: problem.reason.clone(),
                time,
            })
            .collect();
        self.failed = kinds.iter().map(|(_, problems)| problems.count).sum();
    }
}

fn uri_of(source: &Value) -> &str {
    source.pointer("/S3/S3LocationUri").and_then(Value::as_str).unwrap_or_default()
}

fn told(import: &Import) -> Value {
    let mut answer = json!({
        "ImportId": import.id,
        "Destinations": [import.destination],
        "ImportSource": import.source,
        "ImportStatus": import.status,
        "CreatedTimestamp": seconds(import.created),
        "UpdatedTimestamp": seconds(import.updated),
    });
    if let Some(start) = import.start {
        answer["StartEventTime"] = seconds(start);
    }
    if let Some(end) = import.end {
        answer["EndEventTime"] = seconds(end);
    }
    answer
}

fn with_statistics(import: &Import) -> Value {
    let mut answer = told(import);
    answer["ImportStatistics"] = json!({
        "PrefixesFound": 1,
        "PrefixesCompleted": u64::from(import.status == "COMPLETED"),
        "FilesCompleted": import.files,
        "EventsCompleted": import.events,
        "FailedEntries": import.failed,
    });
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_have_no_tricks() {
        for good in ["s3://bucket/prefix/AWSLogs", "s3://bucket", "file:///data/logs"] {
            assert_eq!(check_location(good, None), Ok(()), "{good}");
        }
        for bad in [
            "s3://",
            "s3:///x",
            "s3://b/../c",
            "file:///data/../etc",
            "file://etc",
            "file:///a/./b",
            "/etc",
            "http://x",
            "file:///%2e%2e/x",
            "",
        ] {
            assert!(check_location(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn locations_stay_below_their_roots() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        let roots = vec![inside.to_str().unwrap().to_owned(), "s3://bucket/a".to_owned()];
        let check = |uri: &str| check_location(uri, Some(&roots)).is_ok();
        let of = |path: &Path| format!("file://{}", path.display());
        assert!(
            check(&of(&inside))
                && check(&of(&inside.join("new/x")))
                && check("s3://bucket/a")
                && check("s3://bucket/a/b")
        );
        assert!(
            !check(&of(&outside)) && !check(&of(folder.path())) && !check("s3://bucket/ab") && !check("s3://bucket")
        );
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
            assert!(!check(&of(&inside.join("link"))) && !check(&of(&inside.join("link/new"))));
        }
    }
}

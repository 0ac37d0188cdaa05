//! The things of an account that records name again and again: buckets, instances, keys, functions.

use crate::rng::{Rng, mix};

/// The names of pools that templates may use, with how many things each holds.
const KINDS: &[(&str, usize)] = &[
    ("bucket", 14),
    ("user", 12),
    ("role", 20),
    ("instance", 40),
    ("volume", 40),
    ("sg", 20),
    ("subnet", 12),
    ("vpc", 3),
    ("ami", 8),
    ("snapshot", 30),
    ("kms", 8),
    ("secret", 14),
    ("function", 24),
    ("table", 12),
    ("topic", 8),
    ("queue", 10),
    ("loggroup", 24),
    ("cluster", 4),
    ("service", 16),
    ("repo", 12),
    ("db", 6),
    ("param", 20),
    ("stack", 16),
    ("object", 64),
    ("asg", 6),
    ("lb", 8),
    ("zone", 4),
    ("alarm", 16),
    ("policy", 12),
    ("pipeline", 6),
    ("eni", 40),
    ("app", 16),
];

const APPS: [&str; 16] = [
    "orders",
    "billing",
    "checkout",
    "catalog",
    "search",
    "payments",
    "ledger",
    "inventory",
    "shipping",
    "accounts",
    "reports",
    "events",
    "notify",
    "gateway",
    "pricing",
    "returns",
];
const STAGES: [&str; 4] = ["prod", "prod", "staging", "dev"];
const PEOPLE: [&str; 12] = [
    "ana.garcia",
    "arnav.desai",
    "carlos.salazar",
    "diego.ramirez",
    "efua.owusu",
    "jane.doe",
    "john.stiles",
    "kwaku.mensah",
    "li.juan",
    "martha.rivera",
    "mary.major",
    "saanvi.sarkar",
];

/// The pool of a placeholder's name.
pub(crate) fn kind(name: &str) -> Option<usize> {
    KINDS.iter().position(|(k, _)| *k == name)
}

/// The things of one account.
#[derive(Debug)]
pub(crate) struct Pools(Vec<Vec<String>>);

impl Pools {
    pub(crate) fn new(seed: u64, account: u64, account_id: &str) -> Self {
        let pools = KINDS.iter().enumerate().map(|(k, (name, n))| {
            (0..*n)
                .map(|i| {
                    let mut rng = Rng::keyed(seed, 0x1000 + k as u64, account * 1000 + i as u64);
                    thing(name, i, account_id, &mut rng)
                })
                .collect()
        });
        Self(pools.collect())
    }

    /// The thing of `pool` that a record's `choice` means: low places are chosen far more often.
    pub(crate) fn pick(&self, pool: usize, choice: u64) -> &str {
        let things = &self.0[pool];
        let u = mix(choice ^ (pool as u64).wrapping_mul(0xA24B_AED4_963E_E407)) >> 32;
        let squared = (u * u) >> 32;
        &things[((squared * things.len() as u64) >> 32) as usize]
    }

    /// A person of the account by number.
    pub(crate) fn person(i: usize) -> &'static str {
        PEOPLE[i % PEOPLE.len()]
    }

    /// An application's name by number.
    pub(crate) fn app(i: usize) -> &'static str {
        APPS[i % APPS.len()]
    }
}

fn thing(kind: &str, i: usize, account: &str, rng: &mut Rng) -> String {
    let app = APPS[(i + rng.below(3) as usize) % APPS.len()];
    let stage = STAGES[rng.below(4) as usize];
    let mut id = Vec::new();
    rng.hex(&mut id, 40);
    let id = String::from_utf8_lossy(&id).into_owned();
    let id17 = &id[..17];
    match kind {
        "bucket" => format!("example-{app}-{stage}-{}", &id[..6]),
        "user" => PEOPLE[i % PEOPLE.len()].to_owned(),
        "role" => format!("{app}-{stage}-task-role"),
        "instance" => format!("i-0{}", &id[..16]),
        "volume" => format!("vol-0{}", &id[..16]),
        "sg" => format!("sg-0{}", &id[..16]),
        "subnet" => format!("subnet-0{}", &id[..16]),
        "vpc" => format!("vpc-0{}", &id[..16]),
        "ami" => format!("ami-0{}", &id[..16]),
        "snapshot" => format!("snap-0{}", &id[..16]),
        "kms" => format!("{}-{}-4{}-a{}-{}", &id[..8], &id[8..12], &id[12..15], &id[15..18], &id[18..30]),
        "secret" => format!("{stage}/{app}/database-{}", &id[..6]),
        "function" => format!("{app}-{stage}-{}", ["ingest", "api", "worker", "stream"][i % 4]),
        "table" => format!("{app}-{stage}"),
        "topic" => format!("{app}-alerts-{stage}"),
        "queue" => format!("{app}-{stage}-queue"),
        "loggroup" => format!("/aws/lambda/{app}-{stage}-{}", ["ingest", "api", "worker", "stream"][i % 4]),
        "cluster" => format!("{stage}-cluster-{i}"),
        "service" => format!("{app}-service"),
        "repo" => format!("{app}/{}", ["api", "worker", "web"][i % 3]),
        "db" => format!("{app}-{stage}-db"),
        "param" => format!("/{stage}/{app}/{}", ["feature-flags", "endpoint", "log-level", "image-tag"][i % 4]),
        "stack" => format!("{app}-{stage}-stack"),
        "object" => match i % 4 {
            0 => format!("raw/{app}/year=2026/month=03/part-{:05}-{}.snappy.parquet", i * 7, &id[..12]),
            1 => format!("uploads/{}/{}.pdf", &id[..8], &id[8..24]),
            2 => format!("AWSLogs/{account}/elasticloadbalancing/us-east-1/2026/03/02/app.{app}.{}.log.gz", &id[..16]),
            _ => format!("artifacts/{app}/build-{}/bundle.zip", 1000 + i),
        },
        "asg" => format!("{app}-{stage}-asg"),
        "lb" => format!("app/{app}-{stage}/{}", &id[..16]),
        "zone" => format!("Z{}EXAMPLE", id[..12].to_uppercase()),
        "alarm" => format!("{app}-{stage}-p99-latency"),
        "policy" => format!("{app}-{stage}-access"),
        "pipeline" => format!("{app}-deploy"),
        "eni" => format!("eni-0{}", &id[..16]),
        "app" => app.to_owned(),
        _ => id17.to_owned(),
    }
}

//! The questions of `queries/`, as part of the program.

use cloudtarn_api::Sample;

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../queries/", $name, ".sql")))),*]
    };
}

/// Path below `queries/` and text.
const TEXTS: [(&str, &str); 12] = samples![
    "access/denied-by-principal",
    "access/roles-assumed-across-accounts",
    "console/root-sign-in-without-mfa",
    "console/sign-in-failures",
    "defence-evasion/trail-tampering",
    "discovery/port-opened-to-the-world",
    "exfiltration/bucket-opened-to-everyone",
    "exfiltration/secrets-read-in-a-burst",
    "exfiltration/snapshot-shared",
    "operations/busiest-calls",
    "persistence/access-key-for-another-user",
    "privilege-escalation/administrator-policy-attached",
];

/// All of them.
pub(crate) fn all() -> Vec<Sample> {
    TEXTS.iter().map(|(path, text)| sample(path, text)).collect()
}

fn sample(path: &str, text: &str) -> Sample {
    let front = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("-- ")?.strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let sql: Vec<&str> = text.lines().skip_while(|line| line.starts_with("--")).collect();
    Sample {
        alias: path.rsplit('/').next().unwrap_or_default().to_owned(),
        name: front("title"),
        description: front("answers"),
        sql: sql.join("\n"),
    }
}

//! MITRE ATT&CK: tactics, and the techniques that the packs name (Enterprise matrix, cloud platforms, version 16).

use std::str::FromStr;

/// Why an adversary does something; `TA0003`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tactic(usize);

/// Ids and names, in the order of the matrix.
const TACTICS: [(&str, &str); 14] = [
    ("TA0043", "Reconnaissance"),
    ("TA0042", "Resource Development"),
    ("TA0001", "Initial Access"),
    ("TA0002", "Execution"),
    ("TA0003", "Persistence"),
    ("TA0004", "Privilege Escalation"),
    ("TA0005", "Defense Evasion"),
    ("TA0006", "Credential Access"),
    ("TA0007", "Discovery"),
    ("TA0008", "Lateral Movement"),
    ("TA0009", "Collection"),
    ("TA0011", "Command and Control"),
    ("TA0010", "Exfiltration"),
    ("TA0040", "Impact"),
];

impl Tactic {
    /// All, in the order of the matrix.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..TACTICS.len()).map(Self)
    }

    /// `TA0003`.
    pub fn id(self) -> &'static str {
        TACTICS[self.0].0
    }

    /// `Persistence`.
    pub fn name(self) -> &'static str {
        TACTICS[self.0].1
    }
}

/// How it is done, and to what end here: `TA0003:T1098.001`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Technique {
    /// The end.
    pub tactic: Tactic,
    /// `T1098.001`.
    pub id: String,
}

impl Technique {
    /// The technique's page.
    pub fn address(&self) -> String {
        format!("https://attack.mitre.org/techniques/{}/", self.id.replace('.', "/"))
    }
}

impl FromStr for Technique {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no technique of a tactic: write for instance TA0003:T1098.001");
        let (tactic, id) = text.split_once(':').ok_or_else(wrong)?;
        let tactic = Tactic::all().find(|known| known.id() == tactic).ok_or_else(wrong)?;
        let (main, sub) = id.split_once('.').map_or((id, None), |(main, sub)| (main, Some(sub)));
        let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        let valid = main.strip_prefix('T').is_some_and(|n| digits(n, 4)) && sub.is_none_or(|n| digits(n, 3));
        if valid { Ok(Self { tactic, id: id.to_owned() }) } else { Err(wrong()) }
    }
}

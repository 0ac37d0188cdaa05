//! The log files: everything prepared once, then any file in any order.

use std::ops::Range;

use crate::attacks::{Actor, Attack, Planted, attacks};
use crate::calendar::{folder, stamp};
use crate::catalogue::{Call, calls};
use crate::gzip::Gzip;
use crate::plan::{Place, Plan, at_work};
use crate::pools::Pools;
use crate::principals::{Principal, account_id, intruder, root, roster, weight};
use crate::record::{Caller, Fate, write};
use crate::rng::Rng;
use crate::template::Scene;
use crate::{Corpus, File, Profile};

struct Account {
    id: String,
    principals: Vec<Principal>,
    pools: Pools,
}

/// The raw records of one file.
pub(crate) struct Body {
    /// `{"Records":[…]}`.
    pub(crate) raw: Vec<u8>,
    /// Where each record lies in `raw`.
    pub(crate) records: Vec<Range<usize>>,
    /// Oldest and newest event.
    pub(crate) times: (u64, u64),
}

/// What the writer of one file keeps in mind.
struct Scribe {
    /// `userIdentity` of each caller, once written.
    identities: Vec<Vec<u8>>,
    /// Caller, call and choice of the record before.
    last: Option<(usize, usize, u64)>,
}

/// A corpus ready to be generated.
pub(crate) struct Logs {
    pub(crate) corpus: Corpus,
    pub(crate) plan: Plan,
    accounts: Vec<Account>,
    calls: Vec<Call>,
    attacks: Vec<Attack>,
    /// Weights of the callers, summed.
    busy: Vec<u64>,
    /// Ordinary calls of each class of callers with their weights summed.
    by_class: Vec<Vec<(u64, usize)>>,
    large: Vec<usize>,
}

impl Logs {
    pub(crate) fn new(corpus: &Corpus) -> Self {
        let mut corpus = corpus.clone();
        corpus.accounts = corpus.accounts.max(1);
        corpus.days = corpus.days.max(1);
        if corpus.regions.is_empty() {
            corpus.regions.push("us-east-1".to_owned());
        }
        let attacks = attacks();
        let counts: Vec<u64> = attacks.iter().map(|a| a.count).collect();
        let plan = Plan::new(&corpus, &counts);
        let accounts: Vec<Account> = (0..u64::from(corpus.accounts))
            .map(|a| {
                let id = account_id(a);
                Account { principals: roster(corpus.seed, a, &id), pools: Pools::new(corpus.seed, a, &id), id }
            })
            .collect();
        let calls = calls();
        let mut busy = Vec::new();
        let mut sum = 0;
        for i in 0..accounts.first().map_or(0, |a| a.principals.len()) {
            sum += weight(i);
            busy.push(sum);
        }
        let by_class = (0..16)
            .map(|bit| 1u16 << bit)
            .map(|class| {
                let mut sum = 0;
                let of_class = calls.iter().enumerate().filter(|(_, c)| c.who & class != 0 && !c.large);
                of_class
                    .map(|(i, c)| {
                        sum += u64::from(c.weight);
                        (sum, i)
                    })
                    .collect()
            })
            .collect();
        let large = calls.iter().enumerate().filter(|(_, c)| c.large).map(|(i, _)| i).collect();
        Self { corpus, plan, accounts, calls, attacks, busy, by_class, large }
    }

    /// How many log files there are, twins not counted.
    pub(crate) fn len(&self) -> usize {
        self.plan.sizes.len()
    }

    pub(crate) fn account(&self, i: usize) -> &str {
        &self.accounts[i].id
    }

    /// Digest chains: one for each account and Region.
    pub(crate) fn chains(&self) -> usize {
        self.accounts.len() * self.corpus.regions.len()
    }

    /// The key of a file of `kind`: `CloudTrail`, `CloudTrail-Insight`.
    pub(crate) fn key(&self, kind: &str, place: Place, unique: &mut Rng) -> String {
        let (account, region) = (self.account(place.account), &self.corpus.regions[place.region]);
        let mut tail = Vec::new();
        unique.alnum(&mut tail, 16);
        let tail = String::from_utf8_lossy(&tail);
        let stamp = stamp(place.delivered, false);
        format!("{}{account}_{kind}_{region}_{stamp}_{tail}.json.gz", self.folder(kind, place))
    }

    /// What comes before `AWSLogs/`, with a slash at its end unless it is empty.
    pub(crate) fn prefix(&self) -> String {
        match self.corpus.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    /// The folder of a file of `kind`, with the slash at its end.
    pub(crate) fn folder(&self, kind: &str, place: Place) -> String {
        let (account, region) = (self.account(place.account), &self.corpus.regions[place.region]);
        let prefix = self.prefix();
        let organization = self.corpus.organization.as_deref().map_or_else(String::new, |o| format!("{o}/"));
        format!("{prefix}AWSLogs/{organization}{account}/{kind}/{region}/{}/", folder(place.delivered))
    }

    /// File `i`, and its twin if a second trail delivered it too.
    pub(crate) fn files(&self, i: usize, gzip: &mut Gzip) -> Vec<File> {
        self.bodies(i).into_iter().map(|(key, body)| pack(key, &body, gzip)).collect()
    }

    /// File `i` and its twin before compression.
    pub(crate) fn bodies(&self, i: usize) -> Vec<(String, Body)> {
        let place = self.plan.place(i);
        let mut unique = Rng::keyed(self.corpus.seed, 4, i as u64);
        let body = self.body(i, place);
        let key = self.key("CloudTrail", place, &mut unique);
        if !self.plan.twins[i] {
            return vec![(key, body)];
        }
        // The second trail wrote the same records in another order.
        let mut records = body.records.clone();
        records.reverse();
        let turn = unique.below(records.len().max(1) as u64) as usize;
        records.rotate_left(turn);
        let twin = join(records.iter().map(|r| &body.raw[r.clone()]), body.times);
        let twin_key = self.key("CloudTrail", place, &mut unique);
        vec![(key, body), (twin_key, twin)]
    }

    /// The times of the records of file `i`: at most five minutes apart, the newest up to five minutes before delivery.
    fn times(&self, i: usize, place: Place, planted: u64) -> Vec<u64> {
        let mut rng = Rng::keyed(self.corpus.seed, 5, i as u64);
        let newest = place.delivered - rng.below(300);
        let span = 60 + rng.below(241);
        let mut times: Vec<u64> =
            (0..u64::from(self.plan.sizes[i]) + planted).map(|_| newest - rng.below(span)).collect();
        if rng.chance(330) {
            times.sort_unstable();
        }
        times
    }

    fn body(&self, i: usize, place: Place) -> Body {
        let planted: Vec<_> = self.plan.attacks.iter().filter(|(file, ..)| *file == i).collect();
        let times = self.times(i, place, planted.iter().map(|(.., n)| n).sum());
        let account = &self.accounts[place.account];
        let mut scribe = Scribe { identities: vec![Vec::new(); account.principals.len()], last: None };
        let mut rng = Rng::keyed(self.corpus.seed, 6, i as u64);
        let mut raw = Vec::with_capacity(times.len() * 1600 + 64);
        raw.extend_from_slice(br#"{"Records":["#);
        let mut records = Vec::with_capacity(times.len());
        let ordinary = self.plan.sizes[i] as usize;
        for (n, time) in times.iter().enumerate() {
            if n > 0 {
                raw.push(b',');
            }
            let from = raw.len();
            if n < ordinary {
                self.ordinary(&mut raw, account, place, *time, &mut scribe, &mut rng);
            } else {
                let mut before = ordinary as u64;
                let attack = planted.iter().find(|(.., n_events)| {
                    before += n_events;
                    (n as u64) < before
                });
                if let Some((_, attack, _)) = attack {
                    self.planted_record(&mut raw, account, place, *time, &self.attacks[*attack], &mut rng);
                }
            }
            records.push(from..raw.len());
        }
        raw.extend_from_slice(b"]}");
        let span = (times.iter().min().copied().unwrap_or(0), times.iter().max().copied().unwrap_or(0));
        Body { raw, records, times: span }
    }

    fn ordinary(
        &self,
        raw: &mut Vec<u8>,
        account: &Account,
        place: Place,
        time: u64,
        scribe: &mut Scribe,
        rng: &mut Rng,
    ) {
        let big = self.corpus.profile == Profile::Huge && rng.chance(700);
        // Callers repeat themselves: loops over pages, objects and messages.
        let (who, call, choice) = match scribe.last {
            Some((who, call, choice)) if !big && rng.chance(660) => {
                (who, call, if rng.chance(550) { choice } else { rng.next() })
            }
            _ if big => self.large_call(account, rng),
            _ => self.some_call(account, time, rng),
        };
        scribe.last = (!big).then_some((who, call, choice));
        let call = &self.calls[call];
        let principal = &account.principals[who];
        let identity = &mut scribe.identities[who];
        if identity.is_empty() {
            principal.identity(identity, &account.id, place.delivered - 700);
        }
        let caller = Caller {
            identity,
            address: &principal.address,
            agent: principal.agent,
            console: principal.on_console(),
            service: principal.is_service(),
            inside_vpc: principal.inside_vpc(),
        };
        let mut request_id = Vec::with_capacity(36);
        request(&mut request_id, call, rng);
        let scene = Scene {
            account: &account.id,
            region: &self.corpus.regions[place.region],
            pools: &account.pools,
            arn: &principal.arn,
            user: &principal.name,
            request_id: &request_id,
            time,
            choice,
            repeat_bytes: if big { 20_000 + (rng.below(400) * rng.below(430)) as usize } else { 0 },
        };
        let fate = match (rng.below(1000), &call.error) {
            (0..25, Some(_)) => Fate::Failure,
            (25..50, _) if !principal.is_service() && call.service != "signin" && call.service != "sts" && !big => {
                Fate::Refused
            }
            _ => Fate::Success,
        };
        write(raw, call, &caller, &scene, fate, rng);
    }

    fn planted_record(
        &self,
        raw: &mut Vec<u8>,
        account: &Account,
        place: Place,
        time: u64,
        attack: &Attack,
        rng: &mut Rng,
    ) {
        let (identity, name) = match attack.actor {
            Actor::User(name) => (intruder(&account.id, name, self.corpus.seed, true), name),
            Actor::Guesser(name) => (intruder(&account.id, name, self.corpus.seed, false), name),
            Actor::Root => (root(&account.id), "root"),
        };
        let caller = Caller {
            identity: &identity,
            address: attack.address,
            agent: attack.agent,
            console: false,
            service: false,
            inside_vpc: false,
        };
        let mut request_id = Vec::with_capacity(36);
        request(&mut request_id, &attack.call, rng);
        let scene = Scene {
            account: &account.id,
            region: self.attack_region(attack, place),
            pools: &account.pools,
            arn: "",
            user: name,
            request_id: &request_id,
            time,
            choice: rng.next(),
            repeat_bytes: 0,
        };
        write(raw, &attack.call, &caller, &scene, attack.fate, rng);
    }

    fn attack_region(&self, attack: &Attack, place: Place) -> &str {
        if attack.global { "us-east-1" } else { &self.corpus.regions[place.region] }
    }

    fn someone(&self, rng: &mut Rng) -> usize {
        let at = rng.below(self.busy.last().copied().unwrap_or(1));
        self.busy.partition_point(|sum| *sum <= at)
    }

    /// A caller and an ordinary call of its class.
    fn some_call(&self, account: &Account, time: u64, rng: &mut Rng) -> (usize, usize, u64) {
        let mut who = self.someone(rng);
        if account.principals[who].is_human() && !at_work(time) && rng.chance(800) {
            who = self.someone(rng);
        }
        let weights = &self.by_class[account.principals[who].class.trailing_zeros() as usize];
        let at = rng.below(weights.last().map_or(1, |w| w.0));
        let i = weights.partition_point(|(sum, _)| *sum <= at);
        (who, weights.get(i).map_or(0, |w| w.1), rng.next())
    }

    /// A large call and a caller who may make it.
    fn large_call(&self, account: &Account, rng: &mut Rng) -> (usize, usize, u64) {
        let call = self.large[rng.below(self.large.len() as u64) as usize];
        let first = rng.below(account.principals.len() as u64) as usize;
        let mut turn = (first..account.principals.len()).chain(0..first);
        let who = turn.find(|p| account.principals[*p].class & self.calls[call].who != 0);
        (who.unwrap_or(0), call, rng.next())
    }

    /// The planted facts.
    pub(crate) fn planted(&self) -> Vec<Planted> {
        self.plan
            .attacks
            .iter()
            .map(|(file, attack, count)| {
                let place = self.plan.place(*file);
                let before: u64 =
                    self.plan.attacks.iter().filter(|(f, a, _)| f == file && a < attack).map(|(.., n)| n).sum();
                let all: u64 = self.plan.attacks.iter().filter(|(f, ..)| f == file).map(|(.., n)| n).sum();
                let times = self.times(*file, place, all);
                let first = self.plan.sizes[*file] as usize + before as usize;
                let own = &times[first..first + *count as usize];
                let attack = &self.attacks[*attack];
                Planted {
                    name: attack.name,
                    event_name: attack.call.name,
                    count: *count,
                    account: self.account(place.account).to_owned(),
                    region: self.attack_region(attack, place).to_owned(),
                    source_ip: attack.address,
                    times: (own.iter().min().copied().unwrap_or(0), own.iter().max().copied().unwrap_or(0)),
                }
            })
            .collect()
    }
}

/// A request id: S3's are sixteen capitals and digits, those of other services UUIDs.
fn request(out: &mut Vec<u8>, call: &Call, rng: &mut Rng) {
    if call.service == "s3" {
        rng.key(out, 16);
    } else {
        rng.uuid(out);
    }
}

/// A file of these records.
pub(crate) fn join<'a>(records: impl Iterator<Item = &'a [u8]>, times: (u64, u64)) -> Body {
    let mut raw = br#"{"Records":["#.to_vec();
    let mut places = Vec::new();
    for record in records {
        if !places.is_empty() {
            raw.push(b',');
        }
        places.push(raw.len()..raw.len() + record.len());
        raw.extend_from_slice(record);
    }
    raw.extend_from_slice(b"]}");
    Body { raw, records: places, times }
}

/// The compressed file of `body`.
pub(crate) fn pack(key: String, body: &Body, gzip: &mut Gzip) -> File {
    File {
        key,
        gz: gzip.pack(&body.raw),
        raw_bytes: body.raw.len() as u64,
        records: body.records.len() as u64,
        metadata: Vec::new(),
    }
}

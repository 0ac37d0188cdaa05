//! Which files there are: how many records each holds, when and where it was delivered, and which have a twin.

use crate::rng::Rng;
use crate::{Corpus, Profile};

/// Share of a day's calls by hour, UTC: a night, a working day, an evening of batch jobs.
const HOURS: [u64; 24] =
    [22, 18, 16, 15, 16, 20, 30, 48, 70, 84, 88, 84, 76, 82, 90, 92, 86, 72, 58, 50, 46, 42, 34, 26];

/// Records per file at every tenth of the files.
const BUSY: [u64; 11] = [18, 58, 84, 106, 128, 150, 182, 222, 284, 400, 880];
const QUIET: [u64; 11] = [1, 1, 2, 3, 4, 5, 7, 9, 13, 22, 60];
const HUGE: [u64; 11] = [1, 1, 2, 2, 3, 4, 5, 6, 7, 9, 14];

/// Where and when one file was delivered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) account: usize,
    pub(crate) region: usize,
    /// Seconds since 1970, on a boundary of five minutes: the time in the file's name.
    pub(crate) delivered: u64,
}

/// The files of a corpus. A few bytes a file.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Ordinary records of each file.
    pub(crate) sizes: Vec<u32>,
    /// The file was delivered by a second trail too.
    pub(crate) twins: Vec<bool>,
    /// Attacks by file: (file, attack, events).
    pub(crate) attacks: Vec<(usize, usize, u64)>,
    /// Weight of all days up to each.
    days: Vec<u64>,
    start: u64,
    seed: u64,
    accounts: u64,
    regions: u64,
}

impl Plan {
    pub(crate) fn new(corpus: &Corpus, attacks: &[u64]) -> Self {
        let mut planted = Vec::new();
        let mut taken = 0;
        for (i, count) in attacks.iter().enumerate() {
            if taken + count <= corpus.events / 4 {
                taken += count;
                planted.push((i, *count));
            }
        }
        let mut rng = Rng::keyed(corpus.seed, 1, 0);
        let mut left = corpus.events - taken;
        let mut sizes = Vec::new();
        while left > 0 {
            let n = records(corpus.profile, &mut rng).min(left);
            left -= n;
            sizes.push(n as u32);
        }
        // The last file is cut short: put it anywhere but at the end.
        if sizes.len() > 1 {
            let last = sizes.len() - 1;
            sizes.swap(last / 2, last);
        }
        let share = corpus.duplicates.clamp(0.0, 1.0);
        let (mut delivered, mut twice) = (0u64, 0u64);
        let twins = sizes
            .iter()
            .map(|n| {
                delivered += u64::from(*n);
                let twin =
                    (twice + u64::from(*n) / 2) as f64 <= delivered as f64 * share - f64::from(*n) * 0.5 && share > 0.0;
                twice += if twin { u64::from(*n) } else { 0 };
                twin || share >= 1.0
            })
            .collect();
        let files = sizes.len();
        let slots = planted.len() + 1;
        let attacks =
            planted.into_iter().enumerate().map(|(k, (attack, n))| ((k + 1) * files / slots, attack, n)).collect();
        let mut days = Vec::new();
        let mut sum = 0;
        let start = corpus.start.epoch();
        for d in 0..u64::from(corpus.days.max(1)) {
            // 1970-01-01 was a Thursday.
            let weekend = matches!((start / 86_400 + d) % 7, 2 | 3);
            sum += if weekend { 45 } else { 90 + Rng::keyed(corpus.seed, 2, d).below(20) };
            days.push(sum);
        }
        Self {
            sizes,
            twins,
            attacks,
            days,
            start,
            seed: corpus.seed,
            accounts: u64::from(corpus.accounts.max(1)),
            regions: corpus.regions.len().max(1) as u64,
        }
    }

    /// Where file `i` goes. Times follow the rhythm of the days; the first accounts and Regions are the busiest.
    pub(crate) fn place(&self, i: usize) -> Place {
        let mut rng = Rng::keyed(self.seed, 3, i as u64);
        let skewed = |n: u64, rng: &mut Rng| (rng.below(n) * (1 + rng.below(n)) / n) as usize;
        let account = skewed(self.accounts, &mut rng);
        let region = skewed(self.regions, &mut rng);
        let hours: u64 = HOURS.iter().sum();
        let total = self.days.last().copied().unwrap_or(1) * hours;
        let at = ((2 * i as u128 + 1) * u128::from(total) / (2 * self.sizes.len().max(1) as u128)) as u64;
        let day = self.days.partition_point(|sum| sum * hours <= at);
        let before = if day == 0 { 0 } else { self.days[day - 1] };
        let weight = self.days.get(day).map_or(1, |sum| sum - before);
        // The position inside the day, in units of an hour's weight.
        let mut inside = (at - before * hours) / weight;
        let mut hour = 0;
        while hour < 23 && inside >= HOURS[hour] {
            inside -= HOURS[hour];
            hour += 1;
        }
        let slot = (inside * 12 / HOURS[hour]).min(11);
        Place { account, region, delivered: self.start + day as u64 * 86_400 + hour as u64 * 3_600 + slot * 300 + 300 }
    }
}

fn records(profile: Profile, rng: &mut Rng) -> u64 {
    let quantiles = match profile {
        Profile::Busy => &BUSY,
        Profile::Quiet => &QUIET,
        Profile::Huge => &HUGE,
    };
    let u = rng.below(10_000);
    let (low, high) = (quantiles[u as usize / 1000], quantiles[u as usize / 1000 + 1]);
    low + (high - low) * (u % 1000) / 1000
}

/// Whether people are at work at `time`.
pub(crate) fn at_work(time: u64) -> bool {
    HOURS[(time / 3_600 % 24) as usize] > 45
}

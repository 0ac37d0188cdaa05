//! Small templates of JSON text: literal bytes with `<placeholders>`, parsed once and then written at copying speed.

use crate::calendar::{american, iso, number};
use crate::pools::{Pools, kind};
use crate::rng::{Rng, mix};

/// What a template may refer to while one record is written.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) pools: &'a Pools,
    /// The caller's ARN.
    pub(crate) arn: &'a str,
    /// The caller's user name, or session name.
    pub(crate) user: &'a str,
    pub(crate) request_id: &'a [u8],
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// Chooses the things of the record: the same bucket in the request, the answer and the resources.
    pub(crate) choice: u64,
    /// How many bytes a `<[` … `]>` part is repeated for; 0 writes it once.
    pub(crate) repeat_bytes: usize,
}

#[derive(Debug)]
enum Op {
    Literal(Box<[u8]>),
    Account,
    Region,
    Arn,
    User,
    RequestId,
    Iso,
    American,
    /// Seconds with an exponent, as EC2 reports time ranges: `1.772442904107E9`.
    Exponent,
    Millis,
    /// A whole number of bytes written as a float: `18342.0`.
    FloatBytes,
    Pool(usize),
    /// Hexadecimal digits, fresh each time.
    Hex(usize),
    /// Hexadecimal digits, the same each time in one record.
    Same(usize),
    Uuid,
    Base64(usize),
    Key(usize),
    Number(u64),
    Private,
    Repeat(Box<[Op]>),
}

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template(Box<[Op]>);

impl Template {
    /// Parse `text`. An unknown placeholder is kept as literal text; the catalogue's test finds it.
    pub(crate) fn parse(text: &str) -> Self {
        let mut ops = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('<') {
            if let Some(inner) = rest[open..].strip_prefix("<[")
                && let Some(close) = inner.find("]>")
            {
                literal(&mut ops, &rest[..open]);
                ops.push(Op::Repeat(Self::parse(&inner[..close]).0));
                rest = &inner[close + 2..];
                continue;
            }
            let Some(length) = rest[open..].find('>') else {
                break;
            };
            let close = open + length;
            match placeholder(&rest[open + 1..close]) {
                Some(op) => {
                    literal(&mut ops, &rest[..open]);
                    ops.push(op);
                }
                None => literal(&mut ops, &rest[..=close]),
            }
            rest = &rest[close + 1..];
        }
        literal(&mut ops, rest);
        Self(ops.into_boxed_slice())
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, scene: &Scene<'_>, rng: &mut Rng) {
        write(&self.0, out, scene, rng);
    }
}

fn literal(ops: &mut Vec<Op>, text: &str) {
    if !text.is_empty() {
        ops.push(Op::Literal(text.as_bytes().into()));
    }
}

fn placeholder(name: &str) -> Option<Op> {
    let sized = |prefix: &str| name.strip_prefix(prefix).and_then(|n| n.parse::<usize>().ok());
    Some(match name {
        "acct" => Op::Account,
        "region" => Op::Region,
        "arn" => Op::Arn,
        "me" => Op::User,
        "rid" => Op::RequestId,
        "iso" => Op::Iso,
        "date" => Op::American,
        "exp" => Op::Exponent,
        "ms" => Op::Millis,
        "fbytes" => Op::FloatBytes,
        "uuid" => Op::Uuid,
        "private" => Op::Private,
        _ => {
            if let Some(pool) = kind(name) {
                Op::Pool(pool)
            } else if let Some(n) = sized("hex") {
                Op::Hex(n)
            } else if let Some(n) = sized("same") {
                Op::Same(n)
            } else if let Some(n) = sized("b64_") {
                Op::Base64(n)
            } else if let Some(n) = sized("key") {
                Op::Key(n)
            } else {
                Op::Number(sized("n")? as u64)
            }
        }
    })
}

fn write(ops: &[Op], out: &mut Vec<u8>, scene: &Scene<'_>, rng: &mut Rng) {
    for op in ops {
        match op {
            Op::Literal(text) => out.extend_from_slice(text),
            Op::Account => out.extend_from_slice(scene.account.as_bytes()),
            Op::Region => out.extend_from_slice(scene.region.as_bytes()),
            Op::Arn => out.extend_from_slice(scene.arn.as_bytes()),
            Op::User => out.extend_from_slice(scene.user.as_bytes()),
            Op::RequestId => out.extend_from_slice(scene.request_id),
            Op::Iso => iso(out, scene.time),
            Op::American => american(out, scene.time),
            Op::Exponent => {
                number(out, scene.time / 1_000_000_000);
                out.push(b'.');
                out.extend_from_slice(format!("{:09}", scene.time % 1_000_000_000).as_bytes());
                number(out, 100 + rng.below(900));
                out.extend_from_slice(b"E9");
            }
            Op::Millis => number(out, scene.time * 1000 + rng.below(1000)),
            Op::FloatBytes => {
                let bits = rng.below(24);
                number(out, 100 + rng.below(1 << bits));
                out.extend_from_slice(b".0");
            }
            Op::Pool(pool) => {
                out.extend_from_slice(scene.pools.pick(*pool, scene.choice).as_bytes());
            }
            Op::Hex(n) => rng.hex(out, *n),
            Op::Same(n) => Rng::keyed(mix(scene.choice), *n as u64, 7).hex(out, *n),
            Op::Uuid => rng.uuid(out),
            Op::Base64(n) => rng.base64(out, *n),
            Op::Key(n) => rng.key(out, *n),
            Op::Number(n) => number(out, rng.below(*n)),
            Op::Private => {
                out.extend_from_slice(b"10.");
                number(out, rng.below(4));
                out.push(b'.');
                number(out, rng.below(16));
                out.push(b'.');
                number(out, 4 + rng.below(250));
            }
            Op::Repeat(part) => {
                let end = out.len() + scene.repeat_bytes;
                write(part, out, scene, rng);
                while out.len() < end {
                    out.push(b',');
                    write(part, out, scene, rng);
                }
            }
        }
    }
}

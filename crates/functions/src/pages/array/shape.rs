//! `reverse`, `slice`, `trim_array`, `combinations`, `ngrams`, `shuffle`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datafusion_expr::{ScalarUDF, Volatility};

use crate::lists::{Picked, as_list, bounds, list};
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::types;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let array_and = |t: &[DataType], numbers: usize| -> Option<Vec<DataType>> {
        let (first, rest) = t.split_first()?;
        if rest.len() != numbers {
            return None;
        }
        let mut out = vec![accept(first, Param::Array)?];
        for t in rest {
            out.push(accept(t, Param::Bigint)?);
        }
        Some(out)
    };
    let same = |t: &[DataType], _: &[Option<&datafusion_common::ScalarValue>]| Ok(t[0].clone());
    let nested = |t: &[DataType], _: &[Option<&datafusion_common::ScalarValue>]| Ok(types::array_of(t[0].clone()));
    vec![
        // Text and binaries have a reverse of their own: NULL is theirs.
        Scalar::with(
            "reverse",
            move |t| {
                if types::is_array(t.first()?) { array_and(t, 0) } else { None }
            },
            same,
            |call| {
                each(call, |range, _, out| {
                    range.rev().for_each(|i| out.push(Some(i)));
                    Ok(())
                })
            },
        )
        .build(),
        Scalar::with("slice", move |t| array_and(t, 2), same, |call| each(call, slice)).build(),
        Scalar::with(
            "trim_array",
            move |t| array_and(t, 1),
            same,
            |call| {
                each(call, |range, n, out| {
                    let length = range.len() as i64;
                    if n[0] < 0 {
                        return invalid("size must not be negative");
                    }
                    if n[0] > length {
                        return invalid(format!("size must not exceed array cardinality {length}: {}", n[0]));
                    }
                    range.take((length - n[0]) as usize).for_each(|i| out.push(Some(i)));
                    Ok(())
                })
            },
        )
        .build(),
        Scalar::with(
            "shuffle",
            move |t| array_and(t, 0),
            same,
            |call| {
                each(call, |range, _, out| {
                    let mut all: Vec<usize> = range.collect();
                    let mut random = Xorshift::new();
                    for i in (1..all.len()).rev() {
                        all.swap(i, random.below(i + 1));
                    }
                    all.into_iter().for_each(|i| out.push(Some(i)));
                    Ok(())
                })
            },
        )
        .volatility(Volatility::Volatile)
        .build(),
        Scalar::with("combinations", move |t| array_and(t, 1), nested, |call| groups(call, combinations)).build(),
        Scalar::with("ngrams", move |t| array_and(t, 1), nested, |call| groups(call, ngrams)).build(),
    ]
}

/// Picks elements of each array; the numbers are the other arguments.
fn each(call: &Call<'_>, pick: impl Fn(std::ops::Range<usize>, &[i64], &mut Picked) -> Result<()>) -> Result<ArrayRef> {
    let list = as_list(&call.array(0)?)?;
    let others: Vec<ArrayRef> = (1..call.len()).map(|i| call.array(i)).collect::<Result<_>>()?;
    let mut out = Picked::default();
    let mut numbers = vec![0; others.len()];
    for row in 0..list.len() {
        if list.is_null(row) || others.iter().any(|a| a.is_null(row)) {
            out.null();
            continue;
        }
        for (n, a) in numbers.iter_mut().zip(&others) {
            *n = a.as_primitive::<Int64Type>().value(row);
        }
        pick(bounds(list.value_offsets(), row), &numbers, &mut out)?;
        out.end();
    }
    Ok(Arc::new(out.finish(list.values())?))
}

/// From a start (from 1, or from the end where negative) so many elements.
fn slice(range: std::ops::Range<usize>, numbers: &[i64], out: &mut Picked) -> Result<()> {
    let (start, length) = (numbers[0], numbers[1]);
    if length < 0 {
        return invalid("length must be greater than or equal to 0");
    }
    if start == 0 {
        return invalid("SQL array indices start at 1");
    }
    let size = range.len() as i64;
    let from = if start > 0 { start - 1 } else { size + start };
    if (0..size).contains(&from) {
        let to = from.saturating_add(length).min(size);
        (from..to).for_each(|i| out.push(Some(range.start + i as usize)));
    }
    Ok(())
}

type Group = fn(&[usize], i64, &mut dyn FnMut(&[usize])) -> Result<()>;

/// Arrays of arrays of the elements.
fn groups(call: &Call<'_>, group: Group) -> Result<ArrayRef> {
    let source: ListArray = as_list(&call.array(0)?)?;
    let sizes = call.array(1)?;
    let sizes = sizes.as_primitive::<Int64Type>();
    let mut inner = Picked::default();
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..source.len() {
        let live = source.is_valid(row) && sizes.is_valid(row);
        let mut n = 0;
        if live {
            let elements: Vec<usize> = bounds(source.value_offsets(), row).collect();
            group(&elements, sizes.value(row), &mut |members| {
                members.iter().for_each(|i| inner.push(Some(*i)));
                inner.end();
                n += 1;
            })?;
        }
        lengths.push(n);
        valid.push(live);
    }
    let inner: ArrayRef = Arc::new(inner.finish(source.values())?);
    Ok(Arc::new(list(inner, lengths, valid)?))
}

fn combinations(elements: &[usize], n: i64, emit: &mut dyn FnMut(&[usize])) -> Result<()> {
    if !(0..=5).contains(&n) {
        return invalid(format!("combination size must be between 0 and 5: {n}"));
    }
    let n = n as usize;
    if n > elements.len() {
        return Ok(());
    }
    let mut chosen: Vec<usize> = (0..n).collect();
    let mut emitted = 0;
    loop {
        let members: Vec<usize> = chosen.iter().map(|i| elements[*i]).collect();
        emit(&members);
        emitted += 1;
        if emitted > 100_000 {
            return invalid("combinations exceed 100,000");
        }
        let Some(at) = (0..n).rev().find(|i| chosen[*i] < elements.len() - n + *i) else {
            return Ok(());
        };
        chosen[at] += 1;
        for i in at + 1..n {
            chosen[i] = chosen[i - 1] + 1;
        }
    }
}

fn ngrams(elements: &[usize], n: i64, emit: &mut dyn FnMut(&[usize])) -> Result<()> {
    if n <= 0 {
        return invalid("N must be positive");
    }
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    if elements.len() <= n {
        emit(elements);
    } else {
        elements.windows(n).for_each(emit);
    }
    Ok(())
}

/// Enough for a shuffle.
struct Xorshift(u64);

impl Xorshift {
    fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self(RandomState::new().hash_one(0_u8) | 1)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

//! Trino's page `string`. Positions and lengths count code points, as Trino's do, never bytes.

mod distance;
mod maps;
mod pad;
mod split;
mod stem;
mod trim;
mod unicode;

use arrow::array::{ArrayRef, ListArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::simplify::ExprSimplifyResult;
use datafusion_expr::{Expr, lit};

use crate::columns::{Call, Resolved, Scalar, Type, Types, invalid, is_binary, known, list_item};
use crate::types::is_varchar;
use crate::{Doc, Functions};

use Type::{Bigint, Boolean, Integer, Varbinary, Varchar, Varchars};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let by = Scalar::by;
    let scalars = vec![
        by("length", &[(&[Varchar], Bigint), (&[Varbinary], Bigint)], length)
            .aliased(&["char_length", "character_length"]),
        by("lower", &[(&[Varchar], Varchar)], unicode::lower),
        by("upper", &[(&[Varchar], Varchar)], unicode::upper),
        Scalar::new("concat", Types::Rule(concat_types), concat),
        Scalar::new("concat_ws", Types::Rule(concat_ws_types), concat_ws),
        by(
            "substr",
            &[
                (&[Varchar, Bigint], Varchar),
                (&[Varchar, Bigint, Bigint], Varchar),
                (&[Varbinary, Bigint], Varbinary),
                (&[Varbinary, Bigint, Bigint], Varbinary),
            ],
            substr,
        )
        .aliased(&["substring"]),
        by("trim", trim::OVERLOADS, trim::trim).aliased(&["btrim"]),
        by("ltrim", trim::OVERLOADS, trim::ltrim),
        by("rtrim", trim::OVERLOADS, trim::rtrim),
        by("lpad", pad::OVERLOADS, pad::lpad),
        by("rpad", pad::OVERLOADS, pad::rpad),
        by("replace", &[(&[Varchar, Varchar], Varchar), (&[Varchar, Varchar, Varchar], Varchar)], replace),
        by("split", &[(&[Varchar, Varchar], Varchars), (&[Varchar, Varchar, Bigint], Varchars)], split::split),
        by("split_part", &[(&[Varchar, Varchar, Bigint], Varchar)], split::split_part),
        by("strpos", &[(&[Varchar, Varchar], Bigint), (&[Varchar, Varchar, Bigint], Bigint)], strpos)
            .aliased(&["position"]),
        by("starts_with", &[(&[Varchar, Varchar], Boolean)], starts_with).rewritten(as_like),
        by("ends_with", &[(&[Varchar, Varchar], Boolean)], ends_with),
        by("reverse", &[(&[Varchar], Varchar), (&[Varbinary], Varbinary)], reverse),
        by("translate", &[(&[Varchar, Varchar, Varchar], Varchar)], unicode::translate),
        by(
            "overlay",
            &[(&[Varchar, Varchar, Bigint], Varchar), (&[Varchar, Varchar, Bigint, Bigint], Varchar)],
            overlay,
        ),
        by("chr", &[(&[Bigint], Varchar)], unicode::chr),
        by("codepoint", &[(&[Varchar], Integer)], unicode::codepoint),
        by("normalize", &[(&[Varchar], Varchar), (&[Varchar, Varchar], Varchar)], unicode::normalize),
        by("to_utf8", &[(&[Varchar], Varbinary)], unicode::to_utf8),
        by(
            "from_utf8",
            &[(&[Varbinary], Varchar), (&[Varbinary, Varchar], Varchar), (&[Varbinary, Bigint], Varchar)],
            unicode::from_utf8,
        ),
        by("levenshtein_distance", &[(&[Varchar, Varchar], Bigint)], distance::levenshtein),
        by("hamming_distance", &[(&[Varchar, Varchar], Bigint)], distance::hamming),
        by("luhn_check", &[(&[Varchar], Boolean)], distance::luhn_check),
        by("word_stem", &[(&[Varchar], Varchar), (&[Varchar, Varchar], Varchar)], stem::word_stem),
        by("soundex", &[(&[Varchar], Varchar)], distance::soundex),
        Scalar::new("split_to_map", Types::Rule(maps::split_to_map_types), maps::split_to_map),
        Scalar::new("split_to_multimap", Types::Rule(maps::split_to_multimap_types), maps::split_to_multimap),
    ];
    Functions { scalars: scalars.into_iter().map(Into::into).collect(), docs: DOCS, ..Functions::default() }
}

fn length(call: &Call) -> Result<ArrayRef> {
    if call.data_type(0) == &DataType::Binary {
        let bytes = call.bytes(0)?;
        return call.numbers::<arrow::datatypes::Int64Type>(|i| Ok(bytes.get(i).map(|b| b.len() as i64)));
    }
    let text = call.text(0)?;
    call.numbers::<arrow::datatypes::Int64Type>(|i| Ok(text.get(i).map(unicode::length)))
}

fn concat_types(actual: &[DataType]) -> Option<Resolved> {
    let all = |fits: fn(&DataType) -> bool| actual.iter().all(|t| t.is_null() || fits(t));
    let t = if actual.len() < 2 {
        return None;
    } else if all(is_varchar) {
        DataType::Utf8View
    } else if all(is_binary) {
        DataType::Binary
    } else {
        return None;
    };
    Some((vec![t.clone(); actual.len()], t))
}

fn concat(call: &Call) -> Result<ArrayRef> {
    if call.return_type == DataType::Binary {
        let parts = (0..call.len()).map(|i| call.bytes(i)).collect::<Result<Vec<_>>>()?;
        return call.binaries(|row| {
            let mut out = Vec::new();
            for part in &parts {
                out.extend_from_slice(known!(part.get(row)));
            }
            Ok(Some(out))
        });
    }
    let parts = (0..call.len()).map(|i| call.text(i)).collect::<Result<Vec<_>>>()?;
    call.written(|row, out| {
        for part in &parts {
            out.push_str(known!(part.get(row)));
        }
        Ok(Some(()))
    })
}

fn concat_ws_types(actual: &[DataType]) -> Option<Resolved> {
    let fits = |t: &DataType| t.is_null() || is_varchar(t);
    if actual.len() < 2 || !fits(&actual[0]) {
        return None;
    }
    if actual.len() == 2 && list_item(&actual[1]).is_some_and(fits) {
        return Some((vec![DataType::Utf8View, Varchars.arrow()], DataType::Utf8View));
    }
    let all = actual.iter().all(fits);
    all.then(|| (vec![DataType::Utf8View; actual.len()], DataType::Utf8View))
}

fn concat_ws(call: &Call) -> Result<ArrayRef> {
    // Trino bounds the values that one call may join.
    const MOST_VALUES: usize = 126;
    if call.len() - 1 > MOST_VALUES {
        return Err(invalid(format!("concat_ws joins at most {MOST_VALUES} strings, not {}", call.len() - 1)));
    }
    let separator = call.text(0)?;
    if call.data_type(1) == &DataType::Utf8View {
        let parts = (1..call.len()).map(|i| call.text(i)).collect::<Result<Vec<_>>>()?;
        return call.texts(|row| {
            let separator = known!(separator.get(row));
            Ok(Some(join(separator, parts.iter().filter_map(|p| p.get(row)))))
        });
    }
    let lists = call.column::<ListArray>(1)?;
    call.texts(|row| {
        let separator = known!(separator.get(row));
        let list = known!(lists.get(row));
        let items = arrow::array::AsArray::as_string_view(list.as_ref());
        Ok(Some(join(separator, items.iter().flatten())))
    })
}

fn join<'a>(separator: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (n, part) in parts.enumerate() {
        if n > 0 {
            out.push_str(separator);
        }
        out.push_str(part);
    }
    out
}

/// The zero-based range that Trino's one-based `start` (negative: from the end) and `length` name in a sequence of
/// `size` items; `None` if nothing lies there.
fn window(size: usize, start: i64, length: Option<i64>) -> Option<std::ops::Range<usize>> {
    let size = size as i64;
    let from = match start {
        0 => return None,
        s if s > 0 => s - 1,
        s => size.checked_add(s).filter(|from| *from >= 0)?,
    };
    if from >= size {
        return None;
    }
    let to = match length {
        Some(n) if n <= 0 => return None,
        Some(n) => from.saturating_add(n).min(size),
        None => size,
    };
    Some(from as usize..to as usize)
}

fn substr(call: &Call) -> Result<ArrayRef> {
    let start = call.bigint(1)?;
    let length = if call.len() > 2 { Some(call.bigint(2)?) } else { None };
    if call.return_type == DataType::Binary {
        let bytes = call.bytes(0)?;
        return call.binaries(|row| {
            let (bytes, start) = (known!(bytes.get(row)), known!(start.get(row)));
            let length = match &length {
                Some(l) => Some(known!(l.get(row))),
                None => None,
            };
            Ok(Some(window(bytes.len(), start, length).map_or(&[][..], |r| &bytes[r])))
        });
    }
    let text = call.text(0)?;
    call.texts(|row| {
        let (text, start) = (known!(text.get(row)), known!(start.get(row)));
        let length = match &length {
            Some(l) => Some(known!(l.get(row))),
            None => None,
        };
        Ok(Some(unicode::slice(text, start, length)))
    })
}

fn overlay(call: &Call) -> Result<ArrayRef> {
    let (text, replacement, start) = (call.text(0)?, call.text(1)?, call.bigint(2)?);
    let length = if call.len() > 3 { Some(call.bigint(3)?) } else { None };
    call.texts(|row| {
        let (text, replacement) = (known!(text.get(row)), known!(replacement.get(row)));
        let start = known!(start.get(row));
        let length = match &length {
            Some(l) => known!(l.get(row)),
            None => unicode::length(replacement),
        };
        if start < 1 {
            return Err(invalid(format!("overlay starts at 1 or later, not at {start}")));
        }
        if length < 0 {
            return Err(invalid(format!("overlay replaces 0 or more characters, not {length}")));
        }
        let mut out: String = text.chars().take((start - 1) as usize).collect();
        out.push_str(replacement);
        out.extend(text.chars().skip((start - 1).saturating_add(length) as usize));
        Ok(Some(out))
    })
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (text, search) = (call.text(0)?, call.text(1)?);
    let with = if call.len() > 2 { Some(call.text(2)?) } else { None };
    call.texts(|row| {
        let (text, search) = (known!(text.get(row)), known!(search.get(row)));
        let with = match &with {
            Some(with) => known!(with.get(row)),
            None => "",
        };
        Ok(Some(text.replace(search, with)))
    })
}

fn strpos(call: &Call) -> Result<ArrayRef> {
    let (text, search) = (call.text(0)?, call.text(1)?);
    let instance = if call.len() > 2 { Some(call.bigint(2)?) } else { None };
    call.numbers::<arrow::datatypes::Int64Type>(|row| {
        let (text, search) = (known!(text.get(row)), known!(search.get(row)));
        let instance = match &instance {
            Some(instance) => known!(instance.get(row)),
            None => 1,
        };
        if instance == 0 {
            return Err(invalid("'instance' must be a positive or negative number"));
        }
        if search.is_empty() {
            return Ok(Some(1));
        }
        let at = if instance > 0 {
            nth(starts(text, search), instance as u64)
        } else {
            nth(ends(text, search), instance.unsigned_abs())
        };
        Ok(Some(at.map_or(0, |at| unicode::length(&text[..at]) + 1)))
    })
}

fn nth(mut places: impl Iterator<Item = usize>, n: u64) -> Option<usize> {
    places.nth(usize::try_from(n - 1).ok()?)
}

/// Where `search` starts in `text`, overlapping occurrences included.
fn starts<'a>(text: &'a str, search: &'a str) -> impl Iterator<Item = usize> + 'a {
    let step = search.chars().next().map_or(1, char::len_utf8);
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..)?.find(search)?;
        from = at + step;
        Some(at)
    })
}

/// The same from the end of `text`.
fn ends<'a>(text: &'a str, search: &'a str) -> impl Iterator<Item = usize> + 'a {
    let step = search.chars().next_back().map_or(1, char::len_utf8);
    let mut to = text.len();
    std::iter::from_fn(move || {
        let at = text.get(..to)?.rfind(search)?;
        to = at + search.len() - step;
        Some(at)
    })
}

fn starts_with(call: &Call) -> Result<ArrayRef> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    call.booleans(|i| Ok(Some(known!(text.get(i)).starts_with(known!(part.get(i))))))
}

/// `starts_with(x, 'prefix')` as a `LIKE`, from which files and row groups can be pruned.
fn as_like(mut args: Vec<Expr>) -> ExprSimplifyResult {
    let prefix = match args.get(1) {
        Some(Expr::Literal(value, _)) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    };
    let Some(prefix) = prefix else { return ExprSimplifyResult::Original(args) };
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    let text = args.swap_remove(0);
    ExprSimplifyResult::Simplified(text.like(lit(ScalarValue::Utf8View(Some(pattern)))))
}

fn ends_with(call: &Call) -> Result<ArrayRef> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    call.booleans(|i| Ok(Some(known!(text.get(i)).ends_with(known!(part.get(i))))))
}

fn reverse(call: &Call) -> Result<ArrayRef> {
    if call.return_type == DataType::Binary {
        let bytes = call.bytes(0)?;
        return call.binaries(|i| Ok(bytes.get(i).map(|b| b.iter().rev().copied().collect::<Vec<_>>())));
    }
    let text = call.text(0)?;
    call.texts(|i| Ok(text.get(i).map(|t| t.chars().rev().collect::<String>())))
}

const DOCS: &[Doc] = &[
    doc("chr", "chr(bigint) -> varchar", "chr(65) = 'A'"),
    doc("codepoint", "codepoint(varchar) -> integer", "codepoint('A') = 65"),
    doc(
        "concat",
        "concat(varchar, ...) -> varchar\nconcat(varbinary, ...) -> varbinary",
        "concat('arn:', 'aws') = 'arn:aws'",
    ),
    doc(
        "concat_ws",
        "concat_ws(separator, varchar, ...) -> varchar\nconcat_ws(separator, array(varchar)) -> varchar",
        "concat_ws(':', 's3', NULL, 'GetObject') = 's3:GetObject'",
    ),
    doc("ends_with", "ends_with(varchar, substring) -> boolean", "ends_with('GetObject', 'Object') = true"),
    doc(
        "from_utf8",
        "from_utf8(varbinary) -> varchar\nfrom_utf8(varbinary, replacement) -> varchar",
        "from_utf8(X'6869') = 'hi'",
    ),
    doc("hamming_distance", "hamming_distance(varchar, varchar) -> bigint", "hamming_distance('abc', 'abd') = 1"),
    doc("length", "length(varchar) -> bigint\nlength(varbinary) -> bigint", "length('naïve') = 5"),
    doc(
        "levenshtein_distance",
        "levenshtein_distance(varchar, varchar) -> bigint",
        "levenshtein_distance('admin', 'adm1n') = 1",
    ),
    doc("lower", "lower(varchar) -> varchar", "lower('GetObject') = 'getobject'"),
    doc(
        "lpad",
        "lpad(varchar, size, padding) -> varchar\nlpad(varbinary, size, padding) -> varbinary",
        "lpad('7', 3, '0') = '007'",
    ),
    doc("ltrim", "ltrim(varchar) -> varchar\nltrim(varchar, characters) -> varchar", "ltrim('  a ') = 'a '"),
    doc("luhn_check", "luhn_check(varchar) -> boolean", "luhn_check('79927398713') = true"),
    doc(
        "normalize",
        "normalize(varchar) -> varchar\nnormalize(varchar, form) -> varchar",
        "normalize('Ⅲ', 'NFKC') = 'III'",
    ),
    doc(
        "overlay",
        "overlay(varchar PLACING varchar FROM start [FOR length]) -> varchar",
        "overlay('abcdef' PLACING 'XY' FROM 2) = 'aXYdef'",
    ),
    doc("position", "position(substring IN varchar) -> bigint", "position('c' IN 'abc') = 3"),
    doc(
        "replace",
        "replace(varchar, search) -> varchar\nreplace(varchar, search, replacement) -> varchar",
        "replace('a-b', '-', '_') = 'a_b'",
    ),
    doc("reverse", "reverse(varchar) -> varchar\nreverse(varbinary) -> varbinary", "reverse('abc') = 'cba'"),
    doc(
        "rpad",
        "rpad(varchar, size, padding) -> varchar\nrpad(varbinary, size, padding) -> varbinary",
        "rpad('7', 3, '.') = '7..'",
    ),
    doc("rtrim", "rtrim(varchar) -> varchar\nrtrim(varchar, characters) -> varchar", "rtrim(' a  ') = ' a'"),
    doc("soundex", "soundex(varchar) -> varchar", "soundex('Jim') = 'J500'"),
    doc(
        "split",
        "split(varchar, delimiter) -> array(varchar)\nsplit(varchar, delimiter, limit) -> array(varchar)",
        "split('s3.amazonaws.com', '.') = ARRAY['s3', 'amazonaws', 'com']",
    ),
    doc(
        "split_part",
        "split_part(varchar, delimiter, index) -> varchar",
        "split_part('arn:aws:iam::1:root', ':', 3) = 'iam'",
    ),
    doc(
        "split_to_map",
        "split_to_map(varchar, entry_delimiter, key_value_delimiter) -> map(varchar, varchar)",
        "split_to_map('a=1,b=2', ',', '=') = MAP(ARRAY['a', 'b'], ARRAY['1', '2'])",
    ),
    doc(
        "split_to_multimap",
        "split_to_multimap(varchar, entry_delimiter, key_value_delimiter) -> map(varchar, array(varchar))",
        "split_to_multimap('a=1,a=2', ',', '=') = MAP(ARRAY['a'], ARRAY[ARRAY['1', '2']])",
    ),
    doc("starts_with", "starts_with(varchar, substring) -> boolean", "starts_with('GetObject', 'Get') = true"),
    doc(
        "strpos",
        "strpos(varchar, substring) -> bigint\nstrpos(varchar, substring, instance) -> bigint",
        "strpos('a/b/c', '/', -1) = 4",
    ),
    doc(
        "substr",
        "substr(varchar, start) -> varchar\nsubstr(varchar, start, length) -> varchar\n\
         substr(varbinary, start) -> varbinary\nsubstr(varbinary, start, length) -> varbinary",
        "substr('hello', -3) = 'llo'",
    ),
    doc(
        "substring",
        "substring(varchar FROM start [FOR length]) -> varchar",
        "substring('hello' FROM 2 FOR 3) = 'ell'",
    ),
    doc("to_utf8", "to_utf8(varchar) -> varbinary", "to_utf8('hi') = X'6869'"),
    doc("translate", "translate(varchar, from, to) -> varchar", "translate('abcd', 'ab', 'x') = 'xcd'"),
    doc(
        "trim",
        "trim(varchar) -> varchar\ntrim([LEADING | TRAILING | BOTH] [characters] FROM varchar) -> varchar",
        "trim('  a ') = 'a'",
    ),
    doc("upper", "upper(varchar) -> varchar", "upper('a') = 'A'"),
    doc(
        "word_stem",
        "word_stem(word) -> varchar\nword_stem(word, language) -> varchar",
        "word_stem('faithfulness') = 'faith'",
    ),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "string", signature, example }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::columns::evaluate;

    fn text(value: &str) -> ScalarValue {
        ScalarValue::Utf8(Some(value.to_owned()))
    }

    #[test]
    fn instances_are_counted_from_either_end() {
        let strpos = |instance: i64| {
            const OVERLOADS: &[crate::columns::Overload] = &[(&[Varchar, Varchar, Bigint], Bigint)];
            evaluate(Scalar::by("strpos", OVERLOADS, strpos), &[text("信a念aa"), text("a"), instance.into()])
        };
        assert_eq!(strpos(2).unwrap(), 4i64.into());
        assert_eq!(strpos(-1).unwrap(), 5i64.into());
        assert_eq!(strpos(9).unwrap(), 0i64.into());
        assert!(strpos(0).is_err());
    }

    #[test]
    fn one_null_makes_a_concatenation_null() {
        let concat = |args: &[_]| evaluate(Scalar::new("concat", Types::Rule(concat_types), concat), args).unwrap();
        assert_eq!(concat(&[text("a"), text("b")]), ScalarValue::Utf8View(Some("ab".to_owned())));
        assert_eq!(concat(&[text("a"), ScalarValue::Null]), ScalarValue::Utf8View(None));
        let bytes = |b: &[u8]| ScalarValue::Binary(Some(b.to_vec()));
        assert_eq!(concat(&[bytes(b"a"), bytes(b"b")]), bytes(b"ab"));
    }

    #[test]
    fn prefixes_become_patterns() {
        let rewritten = as_like(vec![datafusion_expr::col("x"), lit("a_%")]);
        let ExprSimplifyResult::Simplified(like) = rewritten else { panic!("a constant prefix is rewritten") };
        assert_eq!(like, datafusion_expr::col("x").like(lit(ScalarValue::Utf8View(Some(r"a\_\%%".to_owned())))));
        let kept = as_like(vec![datafusion_expr::col("x"), datafusion_expr::col("y")]);
        assert!(matches!(kept, ExprSimplifyResult::Original(_)));
    }
}

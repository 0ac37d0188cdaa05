#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::{Kind, OutputName, parse};

fn lowered(sql: &str) -> String {
    parse(sql).unwrap().statement.to_string()
}

#[test]
fn event_data_stores_are_named_as_lake_names_them() {
    for name in [
        "2a8f2138-0caa-46c8-a194-EXAMPLE87d41",
        "1e551234-1e55-46c8-a194-012345678901",
        "00000000-0000-0000-0000-000000000000",
        "0b551234-0b11-46c8-a194-012345678901",
        "arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/2a8f2138-0caa-46c8-a194-1234567890ab",
        "$EDS_ID",
        "eds-id",
    ] {
        let expected = format!("SELECT * FROM \"{}\" AS t", name.to_lowercase());
        assert_eq!(lowered(&format!("SELECT * FROM {name} AS t")), expected, "{name}");
        let joined = format!("SELECT 1 FROM x JOIN {name} ON true, {name}");
        if name != "eds-id" {
            assert_eq!(lowered(&joined).matches(&name.to_lowercase()).count(), 2, "{name}");
        }
    }
    // Subtraction is not a name, text is no name, and a quoted name is one already.
    assert_eq!(lowered("SELECT a-b FROM t"), "SELECT a - b AS \"_col0\" FROM t");
    assert_eq!(lowered("SELECT 'from a-b' AS x FROM \"A-b\""), "SELECT 'from a-b' AS x FROM \"a-b\"");
}

#[test]
fn columns_are_named_as_the_query_writes_them() {
    let names = |sql| parse(sql).unwrap().names;
    let written = |name: &str| OutputName::Written(name.to_owned());
    assert_eq!(
        names(
            "SELECT eventName, userIdentity.principalId, count(*), x AS \"My Name\", resources[1].arn, *, (a) FROM t"
        ),
        [
            written("eventName"),
            written("principalId"),
            OutputName::Positional,
            written("My Name"),
            written("arn"),
            OutputName::Wildcard,
            written("a"),
        ]
    );
    assert_eq!(names("VALUES 1"), []);
    assert_eq!(names("WITH t AS (SELECT 1) SELECT a FROM t UNION SELECT b FROM t"), [written("a")]);
}

#[test]
fn what_is_no_query_is_refused_with_its_place() {
    let refused = |sql: &str| {
        let error = parse(sql).unwrap_err();
        (error.kind, error.position.map(|p| (p.line, p.column)))
    };
    assert_eq!(refused("SELECT 1;\n  SELECT 2"), (Kind::SyntaxError, Some((2, 3))));
    assert_eq!(refused("SELECT\n\n  FROM WHERE").0, Kind::SyntaxError);
    assert_eq!(refused(""), (Kind::SyntaxError, None));
    assert_eq!(refused("INSERT INTO t VALUES (1)").0, Kind::NotSupported);
    assert_eq!(refused("SELECT 'open").0, Kind::SyntaxError);
    assert_eq!(refused("SELECT EXTRACT(MILLISECOND FROM x)").0, Kind::SyntaxError);
    assert_eq!(refused("SELECT 99999999999999999999").0, Kind::InvalidLiteral);
    assert_eq!(refused(&format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000))).0, Kind::SyntaxError);
}

#[test]
fn values_get_their_parentheses() {
    for (written, meant) in [
        ("VALUES 1, 2", "VALUES (1), (2)"),
        ("VALUES (1), (2)", "VALUES (1), (2)"),
        ("VALUES (1, 2), ROW (3, 4)", "VALUES (1, 2), (3, 4)"),
        ("VALUES (1) + 2, f(3, 4)", "VALUES ((1) + 2), (f(3, 4))"),
        ("VALUES ARRAY[1, 2], NULL ORDER BY 1 LIMIT 1", "VALUES (make_array(1, 2)), (NULL) ORDER BY 1 LIMIT 1"),
        ("SELECT (VALUES 1)", "SELECT (VALUES (1)) AS \"_col0\""),
    ] {
        let plain = lowered(written).replace("CAST(", "").replace(" AS INT)", "").replace("ROW(", "(");
        assert_eq!(plain, meant, "{written}");
    }
}

proptest! {
    // Text from outside never panics, and an accepted statement is a query.
    #[test]
    fn any_text_is_read_or_refused(words in proptest::collection::vec(prop_oneof![
        "[a-z]{1,3}", "[0-9.]{1,4}", Just("SELECT".to_owned()), Just("FROM".to_owned()), Just("(".to_owned()), Just(")".to_owned()),
        Just("VALUES".to_owned()), Just(",".to_owned()), Just("->".to_owned()), Just("INTERVAL '1' DAY".to_owned()), Just("CAST".to_owned()),
        Just("AS".to_owned()), Just("ROW".to_owned()), Just("'x".to_owned()), Just("CASE WHEN".to_owned()), Just("json_value".to_owned()),
        Just("LIKE".to_owned()), Just("ESCAPE".to_owned()), Just("[".to_owned()), Just("]".to_owned()), Just(".".to_owned()), Just("-".to_owned()),
    ], 0..24)) {
        let _ = parse(&words.join(" "));
    }

    #[test]
    fn any_characters_are_read_or_refused(text in ".{0,60}") {
        let _ = parse(&text);
        let _ = parse(&format!("SELECT {text}"));
    }
}

#[test]
fn it_is_known_which_statements_name_all_columns_that_they_want() {
    let names_in = |sql| parse(sql).unwrap().names_in;
    assert_eq!(names_in("SELECT eventName, count( * ) FROM T").as_deref(), Some("select eventname, count( * ) from t"));
    let with = crate::parse_with("SELECT json_extract(eventJson, ?) FROM t", &["$.ERRORCODE".to_owned()]).unwrap();
    assert!(with.names_in.unwrap().contains("errorcode"));
    for sql in [
        "SELECT * FROM t",
        "SELECT t.*, count(*) FROM t",
        "SELECT eventName FROM (SELECT * FROM t)",
        "SELECT 2 * count(*) FROM t",
        "TABLE t",
        "SELECT eventName FROM t NATURAL JOIN u",
        "SELECT x FROM t AS u (x)",
        "SELECT eventName FROM t WHERE EXISTS (SELECT x FROM t AS u (x))",
    ] {
        assert_eq!(names_in(sql), None, "{sql}");
    }
}

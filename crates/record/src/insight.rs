//! Insights records to Lake's Insights columns, which flatten `insightDetails`.
//!
//! The record: AWS CloudTrail User Guide, "CloudTrail Insights `insightDetails` element". The columns: the same guide,
//! "CloudTrail Lake event record schemas"; `attributions` is an array there in practice, as are the `insight` and `baseline`
//! lists of an attribution. The columns `insightvalue`, `insightaverage`, `baselinevalue` and `baselineaverage` of an
//! attribution, deprecated since June 2025, hold the first entry of those lists.

use crate::column::{Column, Rewritten, Row, value_view};
use crate::tape::{Cursor, Value};

/// Column or field of the Insights schema that a key of `insightDetails` fills.
fn details_column(key: &str) -> Option<&'static str> {
    Some(match key {
        "state" => "insightstate",
        "eventSource" => "insighteventsource",
        "eventName" => "insighteventname",
        "errorCode" => "insighterrorcode",
        "insightType" => "insighttype",
        "sourceEventCategory" => "insightsource",
        _ => return None,
    })
}

fn field<'r>(row: &'r mut Row, name: &str) -> Option<&'r mut Column> {
    let index = row.names.find(name)?;
    row.fields.get_mut(index)
}

/// Takes the value of `insightDetails` under the cursor and steps over it.
pub(crate) fn push_details(row: &mut Row, cursor: &mut Cursor<'_>, rewritten: &mut Rewritten) {
    let Value::Object { len } = cursor.value() else {
        cursor.skip();
        return;
    };
    let rows = row.valid.len();
    cursor.object(len, |key, value| {
        if key == "insightContext" {
            if let Some(Column::Row(context)) = field(row, "insightcontext") {
                push_context(context, rows, value, rewritten);
                return;
            }
        } else if let Some(column) = details_column(key).and_then(|name| field(row, name))
            && column.len() == rows
        {
            column.push(value, rewritten);
            return;
        }
        value.skip();
    });
}

fn push_context(context: &mut Row, rows: usize, cursor: &mut Cursor<'_>, rewritten: &mut Rewritten) {
    let Value::Object { len } = cursor.value() else {
        cursor.skip();
        return;
    };
    if context.valid.len() != rows {
        cursor.skip();
        return;
    }
    cursor.object(len, |key, value| match (key, value.value()) {
        ("statistics", Value::Object { len }) => {
            value.object(len, |key, value| push_statistic(context, key, value, rewritten));
        }
        ("attributions", Value::Array { len }) => match field(context, "attributions") {
            Some(Column::Array { ends, valid, element }) if ends.len() == valid.len() => {
                if let Column::Row(attribution) = element.as_mut() {
                    value.array(len, |value| push_attribution(attribution, value, rewritten));
                    ends.push(attribution.valid.len() as u32);
                    valid.push(true);
                } else {
                    value.skip();
                }
            }
            _ => {
                value.skip();
            }
        },
        _ => {
            value.skip();
        }
    });
    context.end_row();
}

fn push_statistic(context: &mut Row, key: &str, cursor: &mut Cursor<'_>, rewritten: &mut Rewritten) {
    let rows = context.valid.len();
    let mut push = |name: &str, cursor: &mut Cursor<'_>| match field(context, name) {
        Some(column) if column.len() == rows => column.push(cursor, rewritten),
        _ => {
            cursor.skip();
        }
    };
    match (key, cursor.value()) {
        ("baselineDuration", _) => push("baselineduration", cursor),
        ("insightDuration", _) => push("insightduration", cursor),
        ("baseline" | "insight", Value::Object { len }) => cursor.object(len, |inner, value| match (key, inner) {
            ("baseline", "average") => push("baselineaverage", value),
            ("insight", "average") => push("insightaverage", value),
            _ => {
                value.skip();
            }
        }),
        _ => {
            cursor.skip();
        }
    }
}

fn push_attribution(attribution: &mut Row, cursor: &mut Cursor<'_>, rewritten: &mut Rewritten) {
    let Value::Object { len } = cursor.value() else {
        attribution.valid.push(false);
        attribution.fields.iter_mut().for_each(Column::push_null);
        cursor.skip();
        return;
    };
    let rows = attribution.valid.len();
    cursor.object(len, |key, value| {
        let deprecated = match key {
            "insight" => Some(("insightvalue", "insightaverage")),
            "baseline" => Some(("baselinevalue", "baselineaverage")),
            _ => None,
        };
        if let (Some((text, average)), Value::Array { len: 1.. }) = (deprecated, value.value()) {
            let mut first = *value;
            first.enter();
            push_first(attribution, (text, average), &mut first, rewritten);
        }
        match field(attribution, key) {
            Some(column) if column.len() == rows => column.push(value, rewritten),
            _ => {
                value.skip();
            }
        }
    });
    attribution.end_row();
}

fn push_first(attribution: &mut Row, names: (&str, &str), cursor: &mut Cursor<'_>, rewritten: &mut Rewritten) {
    let Value::Object { len } = cursor.value() else {
        return;
    };
    let rows = attribution.valid.len();
    cursor.object(len, |key, value| {
        let name = match key {
            "value" => names.0,
            "average" => names.1,
            _ => {
                value.skip();
                return;
            }
        };
        match field(attribution, name) {
            Some(Column::Text(views)) if views.len() == rows => views.push(value_view(value, rewritten)),
            Some(column) if column.len() == rows => column.push(value, rewritten),
            _ => {
                value.skip();
            }
        }
    });
}

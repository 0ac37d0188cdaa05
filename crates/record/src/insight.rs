//! Insights records to Lake's Insights columns, which flatten `insightDetails`.
//!
//! The record: AWS CloudTrail User Guide, "CloudTrail Insights `insightDetails` element". The columns: the same guide,
//! "CloudTrail Lake event record schemas"; `attributions` is an array there in practice, as are the `insight` and `baseline`
//! lists of an attribution. The columns `insightvalue`, `insightaverage`, `baselinevalue` and `baselineaverage` of an
//! attribution, deprecated since June 2025, hold the first entry of those lists.

use crate::column::{Column, Row, Texts, put_end};
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
pub(crate) fn put_details(columns: &mut Row, row: usize, cursor: &mut Cursor<'_>, texts: &mut Texts<'_>) {
    let Value::Object { len } = cursor.value() else {
        cursor.skip();
        return;
    };
    cursor.object(len, |key, value| {
        if key == "insightContext" {
            if let Some(Column::Row(context)) = field(columns, "insightcontext") {
                put_context(context, row, value, texts);
                return;
            }
        } else if let Some(column) = details_column(key).and_then(|name| field(columns, name))
            && column.len() <= row
        {
            column.put(row, value, texts);
            return;
        }
        value.skip();
    });
}

fn put_context(context: &mut Row, row: usize, cursor: &mut Cursor<'_>, texts: &mut Texts<'_>) {
    let Value::Object { len } = cursor.value() else {
        cursor.skip();
        return;
    };
    if context.valid.len() > row {
        cursor.skip();
        return;
    }
    cursor.object(len, |key, value| match (key, value.value()) {
        ("statistics", Value::Object { len }) => {
            value.object(len, |key, value| put_statistic(context, row, key, value, texts));
        }
        ("attributions", Value::Array { len }) => match field(context, "attributions") {
            Some(Column::Array { ends, valid, element }) if valid.len() <= row => {
                if let Column::Row(attribution) = element.as_mut() {
                    value.array(len, |value| put_attribution(attribution, value, texts));
                    put_end(ends, valid, row, attribution.valid.len(), true);
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
    context.put_valid(row, true);
}

fn put_statistic(context: &mut Row, row: usize, key: &str, cursor: &mut Cursor<'_>, texts: &mut Texts<'_>) {
    let mut put = |name: &str, cursor: &mut Cursor<'_>| match field(context, name) {
        Some(column) if column.len() <= row => column.put(row, cursor, texts),
        _ => {
            cursor.skip();
        }
    };
    match (key, cursor.value()) {
        ("baselineDuration", _) => put("baselineduration", cursor),
        ("insightDuration", _) => put("insightduration", cursor),
        ("baseline" | "insight", Value::Object { len }) => cursor.object(len, |inner, value| match (key, inner) {
            ("baseline", "average") => put("baselineaverage", value),
            ("insight", "average") => put("insightaverage", value),
            _ => {
                value.skip();
            }
        }),
        _ => {
            cursor.skip();
        }
    }
}

fn put_attribution(attribution: &mut Row, cursor: &mut Cursor<'_>, texts: &mut Texts<'_>) {
    let Value::Object { len } = cursor.value() else {
        attribution.valid.push(false);
        cursor.skip();
        return;
    };
    let row = attribution.valid.len();
    cursor.object(len, |key, value| {
        let deprecated = match key {
            "insight" => Some(("insightvalue", "insightaverage")),
            "baseline" => Some(("baselinevalue", "baselineaverage")),
            _ => None,
        };
        if let (Some((text, average)), Value::Array { len: 1.. }) = (deprecated, value.value()) {
            let mut first = *value;
            first.enter();
            put_first(attribution, (text, average), &mut first, texts);
        }
        match field(attribution, key) {
            Some(column) if column.len() <= row => column.put(row, value, texts),
            _ => {
                value.skip();
            }
        }
    });
    attribution.put_valid(row, true);
}

fn put_first(attribution: &mut Row, names: (&str, &str), cursor: &mut Cursor<'_>, texts: &mut Texts<'_>) {
    let Value::Object { len } = cursor.value() else {
        return;
    };
    let row = attribution.valid.len();
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
            Some(column) if column.len() <= row => column.put(row, value, texts),
            _ => {
                value.skip();
            }
        }
    });
}

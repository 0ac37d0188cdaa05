//! Advanced event selectors: which events an event data store takes in.
//!
//! AWS CloudTrail API Reference, `AdvancedEventSelector` and `AdvancedFieldSelector`: the conditions of a field selector hold
//! together, field selectors of a selector too, and one selector is enough.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::TimestampMillisecondType;
use cloudtarn_record::EventCategory;
use cloudtarn_record::gather::{self, Chunks, Place};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Events that all of the field selectors match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedEventSelector {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At least one, `eventCategory` among them.
    pub field_selectors: Vec<FieldSelector>,
}

/// Events whose field meets all of the conditions; of several values of a condition one is enough, or, for those with
/// `Not`, none may be met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FieldSelector {
    /// Name as AWS writes it: `eventName`, `resources.type`.
    pub field: String,
    /// Is one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<String>,
    /// Begins with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts_with: Vec<String>,
    /// Ends with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends_with: Vec<String>,
    /// Is none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_equals: Vec<String>,
    /// Begins with none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_starts_with: Vec<String>,
    /// Ends with none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ends_with: Vec<String>,
}

/// Fields that a selector may name, the columns that hold them, and for a column of rows its field.
const FIELDS: [(&str, &str, Option<&str>); 11] = [
    ("eventCategory", "eventcategory", None),
    ("eventName", "eventname", None),
    ("eventSource", "eventsource", None),
    ("eventType", "eventtype", None),
    ("errorCode", "errorcode", None),
    ("readOnly", "readonly", None),
    ("resources.type", "resources", Some("type")),
    ("resources.ARN", "resources", Some("arn")),
    ("sessionCredentialFromConsole", "sessioncredentialfromconsole", None),
    ("userIdentity.arn", "useridentity", Some("arn")),
    ("vpcEndpointId", "vpcendpointid", None),
];

/// What selectors may name as `eventCategory`, and the events that it stands for.
const CATEGORIES: [(&str, EventCategory); 5] = [
    ("Management", EventCategory::CloudTrail),
    ("Data", EventCategory::CloudTrail),
    ("NetworkActivity", EventCategory::CloudTrail),
    ("Insight", EventCategory::Insight),
    ("ActivityAuditLog", EventCategory::ActivityAuditLog),
];

impl FieldSelector {
    fn meets(&self, value: &str) -> bool {
        let any = |values: &[String], test: fn(&str, &str) -> bool| values.iter().any(|wanted| test(value, wanted));
        let some = |values: &[String], test| values.is_empty() || any(values, test);
        some(&self.equals, |value, wanted| value == wanted)
            && some(&self.starts_with, |value, wanted| value.starts_with(wanted))
            && some(&self.ends_with, |value, wanted| value.ends_with(wanted))
            && !any(&self.not_equals, |value, wanted| value == wanted)
            && !any(&self.not_starts_with, |value, wanted| value.starts_with(wanted))
            && !any(&self.not_ends_with, |value, wanted| value.ends_with(wanted))
    }

    /// A field without a value meets conditions with `Not` only.
    fn meets_nothing(&self) -> bool {
        self.equals.is_empty() && self.starts_with.is_empty() && self.ends_with.is_empty()
    }

    fn conditions(&self) -> usize {
        [&self.equals, &self.starts_with, &self.ends_with, &self.not_equals, &self.not_starts_with, &self.not_ends_with]
            .map(Vec::len)
            .iter()
            .sum()
    }
}

/// The category of events that selectors are about; management, data and network activity events have one schema.
///
/// # Errors
/// What is wrong with the selectors.
pub fn category(selectors: &[AdvancedEventSelector]) -> std::result::Result<EventCategory, String> {
    let mut found = None;
    for selector in selectors {
        let mut categories = selector.field_selectors.iter().filter(|field| field.field == "eventCategory");
        let (Some(FieldSelector { equals, .. }), None) = (categories.next(), categories.next()) else {
            return Err("every selector has one field selector for eventCategory".to_owned());
        };
        let [name] = equals.as_slice() else {
            return Err("eventCategory goes with Equals and one value".to_owned());
        };
        let category = CATEGORIES.iter().find(|(known, _)| known == name).map(|(_, category)| *category);
        let category = category.ok_or_else(|| {
            format!("eventCategory `{name}` is not kept here: Management, Data, NetworkActivity, Insight and ActivityAuditLog are")
        })?;
        if *found.get_or_insert(category) != category {
            return Err("one event data store holds events of one kind: Insight and ActivityAuditLog go with no other"
                .to_owned());
        }
        for field in &selector.field_selectors {
            if !FIELDS.iter().any(|(name, ..)| *name == field.field) {
                let known: Vec<&str> = FIELDS.iter().map(|(name, ..)| *name).collect();
                return Err(format!("field `{}` is not known: {} are", field.field, known.join(", ")));
            }
            if field.conditions() == 0 {
                return Err(format!("field `{}` has no condition", field.field));
            }
            if field.conditions() > 500 {
                return Err(format!("field `{}` has more than 500 values", field.field));
            }
        }
        let mut names: Vec<&str> = selector.field_selectors.iter().map(|field| field.field.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("a field is named once in a selector".to_owned());
        }
    }
    found.ok_or_else(|| "there is no selector".to_owned())
}

/// Whether the selectors take each of the events.
pub(crate) fn select(
    selectors: &[AdvancedEventSelector],
    chunks: &Chunks,
    category: EventCategory,
    places: &[Place],
) -> Result<Vec<bool>> {
    let schema = category.file_schema();
    let mut selected = vec![false; places.len()];
    for selector in selectors {
        let mut meets = vec![true; places.len()];
        for field in &selector.field_selectors {
            let Some((_, column, inner)) = FIELDS.iter().find(|(name, ..)| *name == field.field) else { continue };
            // A kind of event that lacks the field has no value for it.
            let values = match schema.index_of(column) {
                Ok(index) => Some(gather::column(chunks, category, index, places).map_err(Error::Arrow)?),
                Err(_) => None,
            };
            for (row, meets) in meets.iter_mut().enumerate() {
                *meets &=
                    values.as_ref().map_or_else(|| field.meets_nothing(), |array| test(field, array, *inner, row));
            }
        }
        selected.iter_mut().zip(&meets).for_each(|(selected, meets)| *selected |= meets);
    }
    Ok(selected)
}

fn test(field: &FieldSelector, array: &ArrayRef, inner: Option<&str>, row: usize) -> bool {
    if array.is_null(row) {
        return field.meets_nothing();
    }
    if let Some(text) = array.as_string_view_opt() {
        return field.meets(text.value(row));
    }
    if let Some(flag) = array.as_boolean_opt() {
        return field.meets(if flag.value(row) { "true" } else { "false" });
    }
    if let (Some(rows), Some(name)) = (array.as_struct_opt(), inner) {
        return rows
            .column_by_name(name)
            .map_or_else(|| field.meets_nothing(), |column| test(field, column, None, row));
    }
    if let Some(list) = array.as_list_opt::<i32>() {
        // One resource of several is enough; for conditions with `Not` all must meet them.
        let items = list.value(row);
        let mut found = (0..items.len()).map(|item| test(field, &items, inner, item)).peekable();
        if found.peek().is_none() || field.meets_nothing() {
            return found.all(|meets| meets) && field.meets_nothing();
        }
        return found.any(|meets| meets);
    }
    false
}

/// Whether each of the events is of `oldest` (UTC milliseconds) or later; one without a time is.
pub(crate) fn not_before(oldest: i64, chunks: &Chunks, category: EventCategory, places: &[Place]) -> Result<Vec<bool>> {
    let Ok(index) = category.file_schema().index_of("eventtime") else { return Ok(vec![true; places.len()]) };
    let times = gather::column(chunks, category, index, places).map_err(Error::Arrow)?;
    let times = times.as_primitive::<TimestampMillisecondType>();
    Ok(times.iter().map(|time| time.is_none_or(|time| time >= oldest)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(text: &str) -> Vec<AdvancedEventSelector> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn selectors_say_which_category_they_are_about() {
        let management = r#"{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}"#;
        let insight = management.replace("Management", "Insight");
        assert_eq!(category(&selector(&format!("[{management}]"))), Ok(EventCategory::CloudTrail));
        assert_eq!(category(&selector(&format!("[{insight}]"))), Ok(EventCategory::Insight));
        for wrong in [
            "[]".to_owned(),
            format!("[{management}, {insight}]"),
            format!("[{}]", management.replace("Management", "ConfigurationItem")),
            format!("[{}]", management.replace("Equals", "StartsWith")),
            r#"[{"FieldSelectors": [{"Field": "eventName", "Equals": ["x"]}]}]"#.to_owned(),
            format!("[{}]", management.replace("]}]", r#"]}, {"Field": "eventFlavour", "Equals": ["x"]}]"#)),
            format!("[{}]", management.replace("]}]", r#"]}, {"Field": "eventName"}]"#)),
        ] {
            assert!(category(&selector(&wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn conditions_hold_together() {
        let field = FieldSelector {
            field: "eventName".to_owned(),
            starts_with: vec!["Get".to_owned(), "List".to_owned()],
            not_ends_with: vec!["Policy".to_owned()],
            ..FieldSelector::default()
        };
        assert!(field.meets("GetObject") && field.meets("ListKeys"));
        assert!(!field.meets("GetPolicy") && !field.meets("PutObject") && !field.meets_nothing());
    }
}

//! Arrow schemas of every event category, as CloudTrail Lake documents them.
//!
//! Names are lower-case, as in Lake's catalogue (AWS CloudTrail User Guide, "CloudTrail Lake event record schemas"); the
//! order and the types are the documented ones. Text is `Utf8View`, `timestamp` is `Timestamp(Millisecond)` without a zone
//! and always UTC, `map<string,string>` is `Map<Utf8View, Utf8View>`. What real records carry beyond the documented list
//! follows after Lake's own columns and struct fields.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use crate::shredded::shredded;

/// Hidden column: address of the log file that the event was read from (`s3://bucket/key` or `file:///…`), `Utf8View`.
pub const PATH: &str = "$path";
/// Hidden column: version of that log file (S3 version id, else the ETag, else size and modification time), `Utf8View`.
pub const VERSION: &str = "$version";
/// Hidden column: 0-based index of the event in that log file, `Int32`.
pub const RECORD: &str = "$record";

/// What kind of events an event data store holds; fixed at its creation, as in Lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventCategory {
    /// Management, data and network activity events: one schema of 34 documented columns.
    CloudTrail,
    /// Insights events.
    Insight,
    /// Events from outside AWS, as `PutAuditEvents` takes them in.
    ActivityAuditLog,
}

impl EventCategory {
    /// Every category, in the order in which their stores are made.
    pub const ALL: [Self; 3] = [Self::CloudTrail, Self::Insight, Self::ActivityAuditLog];

    /// The name kept in the catalogue and in Parquet footers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::Insight => "insight",
            Self::ActivityAuditLog => "activity",
        }
    }

    /// The inverse of [`EventCategory::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == name)
    }

    /// The columns that `SELECT *` shows.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::CloudTrail => Arc::clone(&CLOUDTRAIL),
            Self::Insight => Arc::clone(&INSIGHT),
            Self::ActivityAuditLog => Arc::clone(&ACTIVITY),
        }
    }

    /// The columns of a data file: those of [`EventCategory::schema`], then the hidden ones: where an event stood, then keys of
    /// map columns ([`shredded`]).
    pub fn file_schema(self) -> SchemaRef {
        match self {
            Self::CloudTrail => Arc::clone(&CLOUDTRAIL_FILE),
            Self::Insight => Arc::clone(&INSIGHT_FILE),
            Self::ActivityAuditLog => Arc::clone(&ACTIVITY_FILE),
        }
    }
}

static CLOUDTRAIL: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(cloudtrail_fields())));
static CLOUDTRAIL_FILE: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(with_hidden(EventCategory::CloudTrail, cloudtrail_fields())));
static INSIGHT: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(insight_fields())));
static INSIGHT_FILE: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(with_hidden(EventCategory::Insight, insight_fields())));
static ACTIVITY: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(activity_fields())));
static ACTIVITY_FILE: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(with_hidden(EventCategory::ActivityAuditLog, activity_fields())));

fn with_hidden(category: EventCategory, mut fields: Vec<Field>) -> Schema {
    fields.push(Field::new(PATH, DataType::Utf8View, false));
    fields.push(Field::new(VERSION, DataType::Utf8View, true));
    fields.push(Field::new(RECORD, DataType::Int32, false));
    fields.extend(shredded(category).iter().map(|key| text(&key.name)));
    Schema::new(fields)
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8View, true)
}

fn boolean(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn double(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

fn timestamp(name: &str) -> Field {
    Field::new(name, timestamp_type(), true)
}

fn row(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(Fields::from(fields)), true)
}

fn array(name: &str, element: DataType) -> Field {
    Field::new(name, DataType::new_list(element, true), true)
}

fn map(name: &str) -> Field {
    Field::new(name, map_type(), true)
}

/// `timestamp`: UTC milliseconds since 1970-01-01, no zone.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}

/// The one field of [`map_type`]: a non-null struct of `key` (not null) and `value`, both `Utf8View`.
pub fn map_entries() -> FieldRef {
    let key = Field::new("key", DataType::Utf8View, false);
    let value = Field::new("value", DataType::Utf8View, true);
    Arc::new(Field::new("entries", DataType::Struct(Fields::from(vec![key, value])), false))
}

/// `map<string,string>`.
pub fn map_type() -> DataType {
    DataType::Map(map_entries(), false)
}

fn cloudtrail_fields() -> Vec<Field> {
    vec![
        text("eventversion"),
        user_identity(),
        timestamp("eventtime"),
        text("eventsource"),
        text("eventname"),
        text("awsregion"),
        text("sourceipaddress"),
        text("useragent"),
        text("errorcode"),
        text("errormessage"),
        map("requestparameters"),
        map("responseelements"),
        map("additionaleventdata"),
        text("requestid"),
        text("eventid"),
        boolean("readonly"),
        array(
            "resources",
            DataType::Struct(Fields::from(vec![text("accountid"), text("type"), text("arn"), text("arnprefix")])),
        ),
        text("eventtype"),
        text("apiversion"),
        boolean("managementevent"),
        text("recipientaccountid"),
        text("sharedeventid"),
        text("annotation"),
        text("vpcendpointid"),
        text("vpcendpointaccountid"),
        map("serviceeventdetails"),
        map("addendum"),
        map("edgedevicedetails"),
        map("insightdetails"),
        text("eventcategory"),
        row(
            "tlsdetails",
            vec![text("tlsversion"), text("ciphersuite"), text("clientprovidedhostheader"), text("keyexchange")],
        ),
        text("sessioncredentialfromconsole"),
        text("eventjson"),
        text("eventjsonchecksum"),
        row(
            "eventcontext",
            vec![
                map("requestcontext"),
                row(
                    "tagcontext",
                    vec![
                        map("principaltags"),
                        array("resourcetags", DataType::Struct(Fields::from(vec![text("arn"), map("tags")]))),
                    ],
                ),
            ],
        ),
    ]
}

fn user_identity() -> Field {
    row(
        "useridentity",
        vec![
            text("type"),
            text("principalid"),
            text("arn"),
            text("accountid"),
            text("accesskeyid"),
            text("username"),
            row(
                "sessioncontext",
                vec![
                    row("attributes", vec![timestamp("creationdate"), text("mfaauthenticated")]),
                    row(
                        "sessionissuer",
                        vec![text("type"), text("principalid"), text("arn"), text("accountid"), text("username")],
                    ),
                    row("webidfederationdata", vec![text("federatedprovider"), map("attributes")]),
                    text("sourceidentity"),
                    text("ec2roledelivery"),
                    text("ec2issuedinvpc"),
                    text("assumedroot"),
                ],
            ),
            row("onbehalfof", vec![text("userid"), text("identitystorearn")]),
            row(
                "inscopeof",
                vec![text("sourcearn"), text("sourceaccount"), text("issuertype"), text("credentiaisissuedto")],
            ),
            text("invokedby"),
            text("identityprovider"),
            text("credentialid"),
            text("invokedbydelegate"),
        ],
    )
}

fn insight_fields() -> Vec<Field> {
    let share = || {
        let element = DataType::Struct(Fields::from(vec![text("value"), double("average")]));
        (array("insight", element.clone()), array("baseline", element))
    };
    let (insight, baseline) = share();
    vec![
        text("eventversion"),
        text("eventcategory"),
        text("eventtype"),
        text("eventid"),
        timestamp("eventtime"),
        text("awsregion"),
        text("recipientaccountid"),
        text("sharedeventid"),
        map("addendum"),
        text("insightsource"),
        text("insightstate"),
        text("insighteventsource"),
        text("insighteventname"),
        text("insighterrorcode"),
        text("insighttype"),
        row(
            "insightcontext",
            vec![
                double("baselineaverage"),
                double("insightaverage"),
                Field::new("baselineduration", DataType::Int32, true),
                Field::new("insightduration", DataType::Int32, true),
                array(
                    "attributions",
                    DataType::Struct(Fields::from(vec![
                        text("attribute"),
                        text("insightvalue"),
                        double("insightaverage"),
                        text("baselinevalue"),
                        double("baselineaverage"),
                        insight,
                        baseline,
                    ])),
                ),
            ],
        ),
        text("eventjson"),
    ]
}

/// Lake's "integration" schema: what came in is in `eventdata`, the rest was added on the way.
fn activity_fields() -> Vec<Field> {
    vec![
        text("eventversion"),
        text("eventcategory"),
        text("eventtype"),
        text("eventid"),
        timestamp("eventtime"),
        text("awsregion"),
        text("recipientaccountid"),
        row("addendum", vec![text("reason"), text("updatedfields"), text("originaluid"), text("originaleventid")]),
        row("metadata", vec![text("ingestiontime"), text("channelarn")]),
        row(
            "eventdata",
            vec![
                text("version"),
                row("useridentity", vec![text("type"), text("principalid"), map("details")]),
                text("useragent"),
                text("eventsource"),
                text("eventname"),
                text("eventtime"),
                text("uid"),
                map("requestparameters"),
                map("responseelements"),
                text("errorcode"),
                text("errormessage"),
                text("sourceipaddress"),
                text("recipientaccountid"),
                map("additionaleventdata"),
            ],
        ),
        text("eventjson"),
    ]
}

//! `json_extract_scalar(eventJson, '$.eventName')` is what the column `eventname` holds, and reading that costs a hundredth.
//!
//! Only for paths whose column, or field of a column, is text and holds the record's string as it is, and only where the
//! column that is named `eventjson` comes from an event data store untouched.

use std::collections::HashSet;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Paths in a record whose value is a string, or absent; a path of several keys is a field of a row.
const TEXTS: [&str; 34] = [
    "eventVersion",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestID",
    "eventID",
    "eventType",
    "apiVersion",
    "recipientAccountId",
    "sharedEventID",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "eventCategory",
    "sessionCredentialFromConsole",
    "userIdentity.type",
    "userIdentity.principalId",
    "userIdentity.arn",
    "userIdentity.accountId",
    "userIdentity.accessKeyId",
    "userIdentity.userName",
    "userIdentity.invokedBy",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.sessionContext.sessionIssuer.type",
    "userIdentity.sessionContext.sessionIssuer.principalId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.accountId",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "tlsDetails.tlsVersion",
    "tlsDetails.cipherSuite",
    "tlsDetails.clientProvidedHostHeader",
];

/// Replaces such calls by their columns, in every node of the plan.
pub(crate) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let mut stores = HashSet::new();
        node.inputs().into_iter().for_each(|input| collect_stores(input, None, &mut stores));
        if stores.is_empty() {
            return Ok(Transformed::no(node));
        }
        // What an expression is called does not change, since nodes above refer to it by that.
        let preserver = NamePreserver::new(&node);
        node.map_expressions(|expression| {
            let name = preserver.save(&expression);
            let rewritten = expression.transform_up(|e| Ok(replace(e, &stores)))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(plan.data)
}

/// The names under which event data stores reach a node whole.
fn collect_stores(plan: &LogicalPlan, alias: Option<&TableReference>, stores: &mut HashSet<TableReference>) {
    match plan {
        LogicalPlan::TableScan(scan)
            if scan.projection.is_none() && scan.source.schema().field_with_name("eventjson").is_ok() =>
        {
            stores.insert(alias.unwrap_or(&scan.table_name).clone());
        }
        LogicalPlan::SubqueryAlias(inner) if alias.is_none() => {
            collect_stores(&inner.input, Some(&inner.alias), stores);
        }
        LogicalPlan::Filter(filter) => collect_stores(&filter.input, alias, stores),
        LogicalPlan::Join(join) if alias.is_none() => {
            collect_stores(&join.left, None, stores);
            collect_stores(&join.right, None, stores);
        }
        _ => {}
    }
}

fn replace(expression: Expr, stores: &HashSet<TableReference>) -> Transformed<Expr> {
    let Expr::ScalarFunction(call) = &expression else { return Transformed::no(expression) };
    let [Expr::Column(column), Expr::Literal(path, _)] = call.args.as_slice() else {
        return Transformed::no(expression);
    };
    let from_store = column.relation.as_ref().is_some_and(|relation| stores.contains(relation));
    if call.name() != "json_extract_scalar" || column.name != "eventjson" || !from_store {
        return Transformed::no(expression);
    }
    let (ScalarValue::Utf8(Some(path)) | ScalarValue::Utf8View(Some(path)) | ScalarValue::LargeUtf8(Some(path))) = path
    else {
        return Transformed::no(expression);
    };
    let Some(path) = TEXTS.iter().find(|known| path.strip_prefix("$.") == Some(**known)) else {
        return Transformed::no(expression);
    };
    let path = path.to_ascii_lowercase();
    let mut keys = path.split('.');
    let top = Expr::Column(Column::new(column.relation.clone(), keys.next().unwrap_or_default()));
    Transformed::yes(keys.fold(top, get_field))
}

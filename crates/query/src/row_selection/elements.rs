//! `UNNEST(resources) AS r (…) WHERE r.arn = 'x'`: the scan itself asks whose resources have that ARN.
//!
//! DataFusion pushes no condition on arrays of rows into a scan, so that [`crate::element_filter`]'s stays above it and all arrays are
//! read and made. The condition is implied by the one above the unnesting, so that here it may leave out what it can and no more.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, conjunction, split_conjunction};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use crate::column_scan::ColumnScan;
use crate::element_filter::ELEMENT_HAS;

/// The plan with such conditions in its scans, where these are read without DataFusion.
pub(super) fn asked_by_scans(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let asked = plan.transform_up(|node| {
        let scan = asked_by_scan(&node)?;
        Ok(scan.map_or_else(|| Transformed::no(node), Transformed::yes))
    })?;
    Ok(asked.data)
}

/// The scan in place of the projection of a filter of itself.
fn asked_by_scan(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(projection) = node.downcast_ref::<ProjectionExec>() else { return Ok(None) };
    let Some(filter) = projection.input().downcast_ref::<FilterExec>() else { return Ok(None) };
    // Few row groups are one partition, whose batches are dealt out.
    let dealt = filter.input().downcast_ref::<RepartitionExec>();
    let dealt = dealt.filter(|dealt| matches!(dealt.partitioning(), Partitioning::RoundRobinBatch(_)));
    let scan = dealt.map_or(filter.input(), RepartitionExec::input);
    let Some(scan) = scan.downcast_ref::<DataSourceExec>() else { return Ok(None) };
    let Some(config) = scan.data_source().downcast_ref::<FileScanConfig>() else { return Ok(None) };
    let Some(parquet) = (config.file_source.as_ref() as &dyn std::any::Any).downcast_ref::<ParquetSource>() else {
        return Ok(None);
    };
    let conditions = split_conjunction(filter.predicate());
    let is_plain = |column: &str, schema: &Schema| {
        // What the filter calls by a name has to be the table's column of that name.
        parquet.projection().is_some_and(|given| {
            given.as_ref().iter().any(|given| {
                given.alias == column && given.expr.downcast_ref::<Column>().is_some_and(|of| of.name() == column)
            })
        }) && schema.field_with_name(column).is_ok()
    };
    let table = config.file_source.table_schema().file_schema();
    let asks = |condition: &&Arc<dyn PhysicalExpr>| {
        let call = condition.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.name() == ELEMENT_HAS);
        let column = call.and_then(|call| call.args().first()?.downcast_ref::<Column>());
        column.is_some_and(|column| is_plain(column.name(), table))
    };
    if filter.projection().is_some() || filter.fetch().is_some() || !conditions.iter().all(asks) {
        return Ok(None);
    }
    let known = parquet.filter();
    let conditions = conditions.into_iter().map(|condition| reassign_expr_columns(Arc::clone(condition), table));
    let all = conjunction(known.into_iter().chain(conditions.collect::<Result<Vec<_>>>()?));
    let mut config = config.clone();
    config.file_source = parquet.with_predicate(all).into();
    let scan = DataSourceExec::from_data_source(config);
    let Some(scan) = scan.try_swapping_with_projection(projection)? else { return Ok(None) };
    let reads = |config: &FileScanConfig| {
        let source = config.file_source.as_ref();
        ColumnScan::of(source, source, false).is_some_and(|scan| scan.is_own())
    };
    let config = scan.downcast_ref::<DataSourceExec>().and_then(|s| s.data_source().downcast_ref::<FileScanConfig>());
    if !config.is_some_and(reads) {
        return Ok(None);
    }
    Ok(Some(match dealt {
        Some(dealt) => Arc::new(RepartitionExec::try_new(scan, dealt.partitioning().clone())?),
        None => scan,
    }))
}

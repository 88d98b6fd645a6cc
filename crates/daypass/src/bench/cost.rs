//! What a renewal costs the database, in words and as JSON.

use daypass_postgres::Cost;
use serde::Serialize;

/// What the database did, by the renewal.
#[derive(Debug, Serialize)]
pub(super) struct Paid {
    renewals: u64,
    wal_bytes: f64,
    wal_page_images: f64,
    transactions: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    statements: Option<f64>,
    hot_updates: f64,
}

impl Paid {
    pub(super) fn of(cost: &Cost) -> Self {
        let each = |count: u64| share(count, cost.rotations);
        Self {
            renewals: cost.rotations,
            wal_bytes: each(cost.wal_bytes),
            wal_page_images: each(cost.wal_images),
            transactions: each(cost.transactions),
            statements: cost.statements.map(each),
            hot_updates: share(cost.hot_updates, cost.updates),
        }
    }
}

/// In a line.
pub(super) fn paid(cost: &Cost) -> String {
    let paid = Paid::of(cost);
    let statements = paid.statements.map(|count| format!("{count:.3} statements, ")).unwrap_or_default();
    format!(
        "{:.0} WAL bytes a renewal, {:.3} page images among them; {statements}{:.3} transactions; \
         {:.1} % of updates HOT",
        paid.wal_bytes,
        paid.wal_page_images,
        paid.transactions,
        paid.hot_updates * 100.0
    )
}

#[allow(clippy::cast_precision_loss, reason = "no counter comes near 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_renewal_costs_is_told() {
        let cost = Cost {
            rotations: 1_000,
            wal_bytes: 412_345,
            wal_images: 12,
            transactions: 40,
            statements: Some(360),
            updates: 1_000,
            hot_updates: 998,
        };
        assert_eq!(
            paid(&cost),
            "412 WAL bytes a renewal, 0.012 page images among them; 0.360 statements, 0.040 transactions; \
             99.8 % of updates HOT"
        );
        assert!(!paid(&Cost { statements: None, rotations: 0, ..cost }).contains("statements"));
    }
}

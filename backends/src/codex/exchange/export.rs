//! Exports everything as CSV, as a stream: some hundred rows at a time, so that the size of the database is nobody's
//! problem. When the database fails on the way, the answer breaks off, which every client notices.

use axum::{
    body::Body,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;

use super::{Kind, formula::guarded};
use crate::codex::{
    Codex, assets::store::Listed as Asset, companies::Company, contacts::store::Listed as Contact,
    database::Pool, tables,
};

/// Rows in one piece.
const PIECE: i64 = 500;

/// A row, and its number.
type Cells = (i64, Vec<String>);

/// `GET /export/companies.csv`
pub(crate) async fn companies(State(codex): State<Codex>) -> Response {
    answer(Kind::Companies, codex.pool)
}

/// `GET /export/contacts.csv`
pub(crate) async fn contacts(State(codex): State<Codex>) -> Response {
    answer(Kind::Contacts, codex.pool)
}

/// `GET /export/assets.csv`
pub(crate) async fn assets(State(codex): State<Codex>) -> Response {
    answer(Kind::Assets, codex.pool)
}

fn answer(kind: Kind, pool: Pool) -> Response {
    let pieces = stream::try_unfold(Some(0), move |after| next(kind, pool.clone(), after));
    let file = format!("attachment; filename=\"{}.csv\"", kind.name());
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, file.as_str()),
        (CACHE_CONTROL, "private, no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// The rows after a number, as text, and the last of their numbers; the first piece has the header before it.
async fn next(
    kind: Kind,
    pool: Pool,
    after: Option<i64>,
) -> Result<Option<(Bytes, Option<i64>)>, std::io::Error> {
    let Some(after) = after else {
        return Ok(None);
    };
    let rows = piece(kind, &pool, after).await.map_err(|error| {
        tracing::error!(reason = "export", %error, "an export broke off");
        std::io::Error::other(error)
    })?;
    let mut text = Vec::new();
    if after == 0 {
        // By this mark spreadsheets know that it is UTF-8.
        text.extend_from_slice("\u{feff}".as_bytes());
    }
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(text);
    if after == 0 {
        let columns = std::iter::once("id").chain(kind.columns().iter().copied());
        let external: &[&str] = match kind {
            Kind::Companies => &["external_source", "external_id"],
            Kind::Contacts | Kind::Assets => &[],
        };
        writer.write_record(columns.chain(external.iter().copied()))?;
    }
    for (_, cells) in &rows {
        writer.write_record(cells.iter().map(|cell| guarded(cell)))?;
    }
    let last = rows.last().map(|(id, _)| *id);
    let text = writer.into_inner().map_err(|error| error.into_error())?;
    // Nobody waits for an answer that has no bytes and no end.
    let more = last.filter(|_| i64::try_from(rows.len()) == Ok(PIECE));
    Ok(Some((Bytes::from(text), more)))
}

async fn piece(kind: Kind, pool: &Pool, after: i64) -> Result<Vec<Cells>, sqlx::Error> {
    Ok(match kind {
        Kind::Companies => {
            let rows = tables::after(pool, after, PIECE).await?;
            rows.into_iter().map(company).collect()
        }
        Kind::Contacts => {
            let rows = tables::after(pool, after, PIECE).await?;
            rows.into_iter().map(contact).collect()
        }
        Kind::Assets => {
            let rows = tables::after(pool, after, PIECE).await?;
            rows.into_iter().map(asset).collect()
        }
    })
}

fn company(company: Company) -> Cells {
    let details = company.details;
    let (source, number) = company
        .external
        .map(|external| (external.source, external.id.to_string()))
        .unwrap_or_default();
    let cells = vec![
        company.id.to_string(),
        details.name,
        text(details.account_number),
        text(details.website),
        text(details.phone),
        text(details.address),
        text(details.notes),
        source,
        number,
    ];
    (company.id, cells)
}

fn contact(listed: Contact) -> Cells {
    let details = listed.contact.details;
    let cells = vec![
        listed.contact.id.to_string(),
        listed.company_name,
        details.name,
        text(details.title),
        text(details.email),
        text(details.phone),
    ];
    (listed.contact.id, cells)
}

fn asset(listed: Asset) -> Cells {
    let details = listed.asset.details;
    let cells = vec![
        listed.asset.id.to_string(),
        listed.company_name,
        details.name,
        details.kind,
        text(details.serial_number),
        text(details.model),
        text(details.location),
        text(listed.asset.contact_name),
        text(details.notes),
    ];
    (listed.asset.id, cells)
}

fn text(value: Option<String>) -> String {
    value.unwrap_or_default()
}

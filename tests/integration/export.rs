//! The log as a file: exact, harmless, of any length, and never in anybody's way.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{Answer, Shop, say, vectors};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::spreadsheet::{self, has_formula};

const HEAD: &str = "id,createdAt,channel,eventType,subject,recipient,status,statusReason,attempts,statusCode,error,finishedAt";
const SUBJECT_COLUMN: usize = 4;
/// The longest subject, in bytes.
const SUBJECT: usize = 255;

async fn export(shop: &Shop, query: &str) -> Answer {
    let answer = shop
        .full
        .get(&format!("/api/deliveries/export?{query}"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

/// Rows of a table by the names of its columns.
fn rows(csv: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv);
    reader
        .deserialize()
        .map(|row| row.expect("RFC 4180 and UTF-8"))
        .collect()
}

/// What stood there before it was made harmless: an apostrophe before what begins a formula is no part of it.
fn undone(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => cell,
    }
}

/// As OWASP has it, also behind spaces, quotes and what cannot be seen.
fn is_formula(cell: &str) -> bool {
    let start = cell.trim_start_matches(|c: char| {
        !matches!(c, '\t' | '\r' | '\n')
            && (c.is_whitespace()
                || c.is_control()
                || "\"'`\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{feff}".contains(c))
    });
    start.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

#[tokio::test]
async fn naughty_strings_come_out_as_they_went_in_and_no_cell_begins_a_formula() {
    let Some(Value::Array(strings)) = vectors::read("blns.json") else {
        return;
    };
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    // Its name stands in the sentence of an error.
    shop.webhook_with(&receiver.url(), json!({"name": "=1+1", "retryAttempts": 0}))
        .await;
    receiver.behave(Behaviour::Status(500));
    let mut subjects = Vec::new();
    for text in strings.iter().map(|text| text.as_str().unwrap()) {
        // Longer ones in pieces.
        let mut piece = String::new();
        for letter in text.chars() {
            if piece.len() + letter.len_utf8() > SUBJECT {
                subjects.push(std::mem::take(&mut piece));
            }
            piece.push(letter);
        }
        subjects.extend((!piece.is_empty()).then_some(piece));
    }
    for text in [
        "'=1",
        "''=1",
        "'",
        "\t",
        "\r\n=x",
        "a,\"b\"\r\nc",
        "=1\u{0}",
    ] {
        subjects.push(text.to_owned());
    }
    for part in subjects.chunks(200) {
        let events: Vec<Value> = part
            .iter()
            .map(|subject| json!({"type": "contact.created", "subject": subject, "data": {}}))
            .collect();
        let told = shop
            .full
            .post("/api/events/batch", &json!(events))
            .await
            .is(202);
        assert!(
            told["results"]
                .as_array()
                .unwrap()
                .iter()
                .all(|one| one["success"] == true),
            "{told}"
        );
    }
    let last = shop
        .event("contact.created", r#"{"contactId":"last"}"#)
        .await;
    shop.delivery_is(&last, "failed").await;
    subjects.push("last".into());

    let lines = export(&shop, "format=ndjson&order=asc").await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let text = lines.text();
    let found: Vec<Value> = text
        .split_terminator('\n')
        .map(|line| serde_json::from_str(line).expect("a document a line"))
        .collect();
    assert_eq!(found.len(), subjects.len());
    for (row, subject) in found.iter().zip(&subjects) {
        assert_eq!(row["subject"], **subject);
    }

    let table = export(&shop, "format=csv&order=asc").await;
    assert!(
        table.text().starts_with(&format!("{HEAD}\r\n")),
        "no mark before it"
    );
    let found = rows(&table.body);
    assert_eq!(found.len(), subjects.len());
    let mut saved = 0;
    for (row, subject) in found.iter().zip(&subjects) {
        assert_eq!(undone(&row["subject"]), subject);
        saved += usize::from(row["subject"] != *subject);
        for (column, cell) in row {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']),
                "{column}: {cell:?}"
            );
            assert!(
                !is_formula(cell) || cell.starts_with('\''),
                "{column}: {cell:?}"
            );
        }
    }
    assert!(saved > 20, "{saved}");
    let last = found.last().unwrap();
    assert_eq!(
        last["error"],
        "'=1+1 has trouble of its own and answered 500."
    );
    say(&format!(
        "{} naughty subjects, {saved} of them with an apostrophe",
        subjects.len()
    ));
    let Some(opened) = spreadsheet::opened(&table.body) else {
        return;
    };
    assert!(!has_formula(&opened.document), "a cell reckons");
    assert_eq!(opened.rows.len(), subjects.len());
    for (row, subject) in opened.rows.iter().zip(&subjects) {
        // A cell there has one kind of line ends, and no end of a C string.
        let subject = subject.replace("\r\n", "\n").replace('\0', "");
        assert_eq!(undone(&row[SUBJECT_COLUMN]), subject);
    }
}

#[tokio::test]
async fn a_file_has_the_rows_of_the_list_and_a_name_with_the_date() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let event = shop
        .event(
            "booking.created",
            r#"{"bookingId":"b1","customer":{"name":"Maria"}}"#,
        )
        .await;
    let row = shop.delivery_is(&event, "success").await;
    receiver.behave(Behaviour::Status(500));
    let event = shop.event("booking.updated", r#"{"bookingId":"b2"}"#).await;
    let failed = shop.delivery_is(&event, "failed").await;
    shop.full
        .post(
            &format!("/api/integrations/webhooks/{}/test", webhook.id),
            &json!({}),
        )
        .await
        .is(200);

    let lines = export(&shop, "format=ndjson").await.text();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines,
        shop.deliveries("").await,
        "newest first, tests too, and nothing else"
    );

    let answer = export(&shop, "format=csv").await;
    assert_eq!(
        answer.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    let name = answer.header("content-disposition");
    let (start, rest) = ("attachment; filename=\"deliveries-", name.len());
    assert!(
        name.starts_with(start) && name.ends_with(".csv\"") && rest == start.len() + 10 + 5,
        "{name}"
    );
    let table = rows(&answer.body);
    assert_eq!(table.len(), 3);
    for (cells, row) in [(&table[1], &failed), (&table[2], &row)] {
        for column in [
            "id",
            "createdAt",
            "channel",
            "eventType",
            "subject",
            "recipient",
            "status",
            "finishedAt",
        ] {
            assert_eq!(cells[column], row[column].as_str().unwrap(), "{column}");
        }
        assert_eq!(cells["attempts"], "1");
        assert_eq!(cells["statusCode"], row["statusCode"].to_string());
        assert_eq!(cells["error"], row["error"].as_str().unwrap_or_default());
        assert_eq!(cells["statusReason"], "");
    }
    for (filter, count) in [
        ("test=false", 2),
        ("status=failed&test=false", 1),
        ("q=maria", 1),
        ("subject=b2", 1),
        ("channel=email", 0),
        ("until=2020-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(
            rows(&export(&shop, &format!("format=csv&{filter}")).await.body).len(),
            count,
            "{filter}"
        );
        assert_eq!(
            export(&shop, &format!("format=ndjson&{filter}"))
                .await
                .text()
                .lines()
                .count(),
            count,
            "{filter}"
        );
    }
    let oldest_first = rows(&export(&shop, "format=csv&order=asc").await.body);
    assert_eq!(oldest_first[0]["subject"], "b1");
}

#[tokio::test]
async fn an_export_refuses_formats_it_has_not_and_what_belongs_to_a_page() {
    let shop = Shop::open().await;
    for (query, field) in [
        ("", "format"),
        ("format=xml", "format"),
        ("format=csv&status=lost", "status"),
        ("format=csv&limit=5", "limit"),
        ("format=csv&cursor=c1", "cursor"),
        ("format=csv&at=2026-01-01T00:00:00Z", "at"),
        ("format=csv&columns=id", "columns"),
    ] {
        shop.full
            .get(&format!("/api/deliveries/export?{query}"))
            .await
            .names_field(field);
    }
}

/// Copies the only delivery until there are many.
fn multiply(home: &signalbox_tests::Home, count: u32) {
    let db = Connection::open(home.path().join("signalbox.db")).unwrap();
    let columns: Vec<String> = db
        .prepare("SELECT name FROM pragma_table_info('deliveries') WHERE name NOT IN ('seq', 'id')")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let columns = columns.join(", ");
    db.execute(
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO deliveries (seq, id, {columns})
             SELECT (SELECT max(seq) FROM deliveries) + i, printf('dlv_01900000-0000-7000-8000-%012x', i), {columns} FROM n, (SELECT * FROM deliveries LIMIT 1)"
        ),
        [count],
    )
    .unwrap();
}

async fn begun(shop: &Shop) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(shop.serve.address).await.unwrap();
    let request = format!(
        "GET /api/deliveries/export?format=csv&order=asc HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nSignalbox-Workspace: {}\r\nConnection: close\r\n\r\n",
        shop.serve.address, shop.serve.credential, shop.workspace
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = vec![0; 4096];
    let length = stream.read(&mut read).await.unwrap();
    read.truncate(length);
    assert!(
        read.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&read)
    );
    (stream, read)
}

#[tokio::test]
async fn a_file_holds_what_there_was_at_its_beginning_and_who_reads_slowly_or_goes_away_is_in_nobodys_way()
 {
    const MANY: u32 = 60_000;
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook(&receiver.url()).await;
    let event = shop
        .event("booking.created", r#"{"bookingId":"first"}"#)
        .await;
    shop.delivery_is(&event, "success").await;
    let shop = shop.restart_as(false, |home| {
        multiply(&home, MANY);
        home
    });
    let (mut slow, mut text) = begun(&shop).await;
    let (gone, _) = begun(&shop).await;
    drop(gone);
    // More than any buffer on the way: it is not all written when this comes in.
    let event = shop
        .event("booking.created", r#"{"bookingId":"later"}"#)
        .await;
    shop.delivery_is(&event, "success").await;
    slow.read_to_end(&mut text).await.unwrap();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(text.matches(",first,").count(), MANY as usize + 1);
    assert!(!text.contains(",later,"));
    assert!(text.ends_with("0\r\n\r\n"), "it is whole");
    let (still_open, _) = begun(&shop).await;
    drop(shop.restart(false));
    drop(still_open);
}

#[tokio::test]
async fn signalctl_writes_the_file_by_socket_and_in_process() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let event = shop.event("booking.created", r#"{"bookingId":"b1"}"#).await;
    shop.delivery_is(&event, "success").await;
    let served = export(&shop, "format=csv").await.text();
    let workspace = shop.workspace.clone();
    let name = workspace.as_str();
    let check = |home: &signalbox_tests::Home, way: &str| {
        let said = home.run(&[
            "deliveries",
            "export",
            "--format",
            "csv",
            "--workspace",
            name,
        ]);
        said.exits(0);
        assert_eq!(said.stdout, served, "{way}");
        let file = home.path().with_file_name(format!("export {way}.ndjson"));
        let path = file.to_str().unwrap();
        let said = home.run(&[
            "deliveries",
            "export",
            "--format",
            "ndjson",
            "--subject",
            "b1",
            "--out",
            path,
            "--workspace",
            name,
            "--json",
        ]);
        said.exits(0);
        let told = said.json();
        let written = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            (&told["success"], &told["bytes"]),
            (&json!(true), &json!(written.len()))
        );
        assert_eq!(
            serde_json::from_str::<Value>(&written).unwrap()["subject"],
            "b1"
        );
        home.run(&[
            "deliveries",
            "export",
            "--format",
            "csv",
            "--out",
            "/no/such/folder/x.csv",
            "--workspace",
            name,
        ])
        .exits(1);
        home.run(&[
            "deliveries",
            "export",
            "--format",
            "csv",
            "--status",
            "lost",
            "--out",
            path,
            "--workspace",
            name,
        ])
        .exits(1);
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            written,
            "what fails leaves the former file"
        );
    };
    check(shop.serve.home(), "by socket");
    let Shop { serve, .. } = shop;
    let (home, _) = std::sync::Arc::try_unwrap(serve)
        .expect("nobody else")
        .terminate();
    check(&home, "in process");
    home.run(&["deliveries", "export"]).exits(2);
}

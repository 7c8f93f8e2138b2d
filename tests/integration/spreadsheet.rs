//! LibreOffice without a window: what a table becomes when somebody opens it.

use std::path::Path;
use std::process::{Command, Stdio};

use signalbox_tests::say;

/// As it reads a table: UTF-8, what looks like a number is one, and formulas are reckoned, as careless as can be.
const READ: &str = "CSV:44,34,76,1,,0,false,true,false,false,false,0,true";
/// The same, with these columns as text.
const READ_AS_TEXT: &str = "CSV:44,34,76,1,1/2/2/2/3/2/4/2/5/2/6/2/7/2/8/2/9/2/10/2/11/2/12/2,0,false,true,false,false,false,0,true";
/// Every text in quotes.
const WRITE: &str = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true";

/// A table as it stands in a spreadsheet.
pub(crate) struct Opened {
    /// The document, in one XML file.
    pub(crate) document: String,
    /// Every cell's text, where all columns are read as text.
    pub(crate) rows: Vec<Vec<String>>,
}

fn convert(folder: &Path, table: &[u8], read: &str, to: &str) -> Option<Vec<u8>> {
    let (from, out) = (folder.join("table.csv"), folder.join("out"));
    std::fs::write(&from, table).unwrap();
    // A profile of its own: nothing of whoever runs this is read, and several run at once.
    let told = Command::new("soffice")
        .arg(format!(
            "-env:UserInstallation=file://{}",
            folder.join("profile").display()
        ))
        .args(["--headless", "--norestore"])
        .arg(format!("--infilter={read}"))
        .args(["--convert-to", to, "--outdir"])
        .args([&out, &from])
        .stdin(Stdio::null())
        .output();
    let told = match told {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            say("skipped what LibreOffice makes of a table: soffice is not installed");
            return None;
        }
        told => told.unwrap(),
    };
    let ending = to.split(':').next().unwrap();
    let written = std::fs::read(out.join(format!("table.{ending}")));
    Some(written.unwrap_or_else(|error| panic!("{error}: {told:?}")))
}

/// Opens a table; nothing, with a notice, where LibreOffice is not installed.
pub(crate) fn opened(table: &[u8]) -> Option<Opened> {
    let folder = tempfile::tempdir().unwrap();
    let document = |table: &[u8]| {
        let xml = convert(folder.path(), table, READ, "fods")?;
        Some(String::from_utf8(xml).unwrap())
    };
    let careless = document(b"a,b\r\n1,=1+1\r\n")?;
    assert!(
        has_formula(&careless),
        "what this looks for is found where it is: {careless}"
    );
    let rows = convert(folder.path(), table, READ_AS_TEXT, WRITE)?;
    Some(Opened {
        document: document(table)?,
        rows: csv::ReaderBuilder::new()
            .from_reader(&rows[..])
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect())
            .collect(),
    })
}

/// Whether any cell of a document reckons.
pub(crate) fn has_formula(document: &str) -> bool {
    document.contains("table:formula")
}

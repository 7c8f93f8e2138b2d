//! How fast a large file is stored, beside `aws s3 cp` to the same server in the same run, and with how much memory.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::json;
use signalbox_practice::Storage;
use signalbox_tests::{Bucket, Home, Shop, repository, say, signalctl};
use tokio::runtime::Runtime;

use crate::Table;

const GIB: u64 = 1024 * 1024 * 1024;
const ROUNDS: usize = 2;

/// The server, as a process of its own.
pub(crate) fn serve(folder: &str) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let at = ([127, 0, 0, 1], 0);
        let folder = Path::new(folder);
        let (bucket, key, secret) = (Bucket::NAME, Bucket::KEY, Bucket::SECRET);
        let storage = Storage::start_strict(at, folder, bucket, key, secret).await;
        let storage = storage.expect("a port");
        println!("{}", storage.url());
        std::future::pending::<()>().await;
    });
}

/// Measures both, in turns, and leaves nothing behind.
pub(crate) fn measure(table: &mut Table, disk: &Path) {
    let (mut server, endpoint) = start(&disk.join("bucket"));
    let file = disk.join("large.bin");
    write(&file);
    let runtime = Runtime::new().expect("a runtime");
    let shop = runtime.block_on(async {
        let shop = Shop::on(Home::new().at(disk.join("upload-home")).serve().into()).await;
        let setup = json!({
            "accessKeyId": Bucket::KEY, "secretAccessKey": Bucket::SECRET, "bucketName": Bucket::NAME,
            "region": "eu-central-1", "endpoint": endpoint, "pathStyle": true,
            "allowPrivateNetwork": true,
        });
        let answer = shop.full.post("/api/integrations/storage", &setup).await;
        assert_eq!(answer.is(200)["success"], true, "{}", answer.text());
        shop
    });
    let aws = aws();
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    let before = resident(shop.serve.pid);
    let mut most = before;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let mut put = shop
            .serve
            .home()
            .command(&[
                "files",
                "put",
                &file.display().to_string(),
                "--workspace",
                &shop.workspace,
                "--json",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("signalctl starts");
        while put.try_wait().expect("it runs").is_none() {
            most = resident(shop.serve.pid).max(most);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let output = put.wait_with_output().expect("it ended");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        own.push(started.elapsed());
        clear(&disk.join("bucket").join(Bucket::NAME));
        if let Some(aws) = &aws {
            let started = Instant::now();
            let done = Command::new(aws)
                .args([
                    "s3",
                    "cp",
                    "--only-show-errors",
                    "--endpoint-url",
                    &endpoint,
                ])
                .arg(&file)
                .arg(format!("s3://{}/large.bin", Bucket::NAME))
                .env("AWS_ACCESS_KEY_ID", Bucket::KEY)
                .env("AWS_SECRET_ACCESS_KEY", Bucket::SECRET)
                .env("AWS_DEFAULT_REGION", "eu-central-1")
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .status();
            assert!(done.is_ok_and(|status| status.success()), "aws s3 cp");
            theirs.push(started.elapsed());
            clear(&disk.join("bucket").join(Bucket::NAME));
        }
    }
    let _ = server.kill();
    let _ = server.wait();
    let speed = |times: Vec<std::time::Duration>| {
        let best = times.into_iter().min()?;
        Some(GIB as f64 / best.as_secs_f64() / 1e6)
    };
    let own = speed(own).unwrap_or_default();
    table.figure(
        "1 GiB to an S3 server, through the API",
        format!("{own:.0} MB/s"),
    );
    match speed(theirs) {
        Some(theirs) => {
            table.figure("the same by aws s3 cp", format!("{theirs:.0} MB/s"));
            table.at_least("share of aws s3 cp", own / theirs * 100.0, 80.0, "%");
        }
        None => say("aws s3 cp was not measured: it could not be installed"),
    }
    let growth = most.saturating_sub(before) as f64 / 1024.0 / 1024.0;
    table.below("memory growth while storing 1 GiB", growth, 64.0, "MiB");
}

fn start(folder: &Path) -> (Child, String) {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .arg("storage")
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the storage starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its output");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("its address");
    (child, line.trim().to_owned())
}

fn write(path: &Path) {
    let mut file = std::fs::File::create(path).expect("a file");
    let mut piece = vec![0_u8; 1024 * 1024];
    for number in 0..GIB / piece.len() as u64 {
        piece[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&piece).expect("a write");
    }
}

fn clear(bucket: &Path) {
    for entry in std::fs::read_dir(bucket).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
    }
}

/// Resident memory in bytes.
fn resident(pid: u32) -> u64 {
    let memory = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = memory
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_u64) * 4096
}

/// The reference, installed beside the build; nothing without Python.
fn aws() -> Option<PathBuf> {
    let venv = signalctl().parent()?.parent()?.join("judges/awscli");
    let aws = venv.join("bin/aws");
    if aws.exists() {
        return Some(aws);
    }
    let works = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let requirements = repository().join("tests/fixtures/awscli.txt");
    let installed = works(Command::new("python3").args(["-m", "venv"]).arg(&venv))
        && works(
            Command::new(venv.join("bin/python"))
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "-r",
                ])
                .arg(requirements),
        );
    installed.then_some(aws)
}

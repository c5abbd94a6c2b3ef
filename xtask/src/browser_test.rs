//! Opens reports in a headless browser: no script error, every figure is there, the map and the gallery respond, nothing is loaded
//! from outside, no page is wider than a phone, and `report --watch` renews its page.
//!
//! The pages are those of barlow-report's example `page`; `#selftest` makes a page use its own controls and write the outcome into
//! its document, which the browser prints. A missing browser is a failure.

use crate::workspace::{program, target_folder, workspace_root};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Flags of `browser-test`.
#[derive(Args)]
pub struct Options {
    /// Do not build the program, and do not test `report --watch`
    #[arg(long)]
    pages_only: bool,
    /// Keep the pages and their screenshots in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Names of Chromium, Debian's first.
const BROWSERS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// Chromium's window cannot be narrower; a frame can.
const LEAST_WIDTH: u32 = 500;

/// Every figure of a run's page.
const FIGURES: [&str; 11] = [
    "chart-loss",
    "chart-both-terms-of-the-loss",
    "chart-knn-on-the-test-images",
    "correlation-untrained",
    "correlation-trained",
    "map-tsne",
    "map-pca",
    "gallery",
    "confusion",
    "class-accuracy",
    "views",
];

/// Opens all pages.
pub fn run(options: Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let pages = options.keep.as_deref().unwrap_or(folder.path());
    let browser = Browser {
        program: browser()?,
        profile: folder.path().join("profile"),
    };
    let built = Command::new("cargo")
        .args([
            "run",
            "--quiet",
            "--release",
            "--locked",
            "-p",
            "barlow-report",
            "--example",
            "page",
            "--",
        ])
        .arg(pages)
        .env("CARGO_TARGET_DIR", target_folder()?)
        .current_dir(workspace_root())
        .status()
        .context("cannot start cargo")?;
    ensure!(built.success(), "the pages cannot be made");
    for (name, width) in [("one", 390), ("one", 1200), ("large", 1200), ("thousand", 390)] {
        let page = pages.join(format!("{name}.html"));
        let what = || format!("{name}.html at {width} pixels");
        let outcome = browser.test(&page, width).with_context(what)?;
        check_run(&std::fs::read_to_string(&page)?, &outcome).with_context(what)?;
        eprintln!("{}: ready after {} ms", what(), outcome["opened"]);
    }
    check(&browser.test(&pages.join("compared.html"), 390)?).context("compared.html")?;
    if options.keep.is_some() {
        screenshots(&browser, pages)?;
    }
    if !options.pages_only {
        watch(&browser, pages, folder.path()).context("report --watch")?;
    }
    eprintln!("all pages work in {}", browser.program.display());
    Ok(())
}

/// The browser of this machine: `CHROMIUM`, or the first of the known names.
fn browser() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return Ok(path.into());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let paths = BROWSERS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let mut found = paths.filter(|path| path.is_file());
    found
        .next()
        .context("there is no Chromium; install it (Debian: apt-get install chromium), or name it in CHROMIUM")
}

struct Browser {
    program: PathBuf,
    profile: PathBuf,
}

impl Browser {
    fn command(&self, width: u32) -> Command {
        let mut command = Command::new(&self.program);
        command
            // The sandbox needs rights that a container's root does not have; the pages are ours.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--no-first-run",
            ])
            .arg(format!("--window-size={},1000", width.max(LEAST_WIDTH)))
            .arg(format!("--user-data-dir={}", self.profile.display()))
            .stderr(Stdio::null());
        command
    }

    /// The outcome of a page's self-test at a width.
    fn test(&self, page: &Path, width: u32) -> Result<Value> {
        let page = if width < LEAST_WIDTH {
            framed(page, width, 1000)?
        } else {
            page.to_owned()
        };
        let outcome = outcome(&self.dump(
            &format!("file://{}#selftest", page.display()),
            width,
            &["--virtual-time-budget=3000"],
        )?)?;
        ensure!(
            outcome["width"] == width,
            "the page is {} pixels wide, not {width}",
            outcome["width"]
        );
        Ok(outcome)
    }

    fn dump(&self, address: &str, width: u32, more: &[&str]) -> Result<String> {
        let output = self.command(width).args(more).arg("--dump-dom").arg(address).output();
        let output = output.with_context(|| format!("cannot start {}", self.program.display()))?;
        ensure!(output.status.success(), "the browser ended with {}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// A page that shows another one in a frame, and passes on what its self-test says.
fn framed(page: &Path, width: u32, height: u32) -> Result<PathBuf> {
    let name = page.file_name().context("a page has a name")?.to_string_lossy();
    let frame = page.with_file_name(format!("framed-{name}"));
    let text = format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><style>body{{margin:0}}iframe{{border:0;width:{width}px;height:{height}px}}</style>\
         <script>addEventListener(\"message\",event=>{{document.documentElement.dataset.selftest=event.data}})</script>\
         <iframe src=\"{name}#selftest\"></iframe>"
    );
    std::fs::write(&frame, text)?;
    Ok(frame)
}

/// What the page's self-test wrote down.
fn outcome(document: &str) -> Result<Value> {
    let start = document
        .find("data-selftest=\"")
        .context("the self-test did not run: the script failed")?;
    let text = &document[start + "data-selftest=\"".len()..];
    let text = &text[..text.find('"').context("an attribute ends")?];
    serde_json::from_str(
        &text
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
    .context("the outcome of the self-test")
}

/// What holds for every page.
fn check(outcome: &Value) -> Result<()> {
    ensure!(
        outcome["errors"] == Value::Array(Vec::new()),
        "script errors: {}",
        outcome["errors"]
    );
    ensure!(
        outcome["loaded"] == Value::Array(Vec::new()),
        "loaded from outside: {}",
        outcome["loaded"]
    );
    ensure!(outcome["wide"] == false, "the page is wider than its window");
    Ok(())
}

/// What holds for the page of one run.
fn check_run(document: &str, outcome: &Value) -> Result<()> {
    check(outcome)?;
    for figure in FIGURES {
        ensure!(
            document.contains(&format!("data-figure=\"{figure}\"")),
            "{figure} is missing"
        );
    }
    ensure!(
        outcome["map"] == serde_json::json!([true, true]),
        "a point shows no card: {}",
        outcome["map"]
    );
    ensure!(outcome["classes"] == true, "no class can be chosen on the map");
    let thumbnails = document.matches("class=\"thumb\" role=\"img\"").count() as u64;
    ensure!(thumbnails > 50, "{thumbnails} thumbnails");
    ensure!(
        outcome["gallery"] == thumbnails,
        "{} of {thumbnails} thumbnails show a card",
        outcome["gallery"]
    );
    ensure!(outcome["filter"] == true, "the gallery's filter does nothing");
    Ok(())
}

/// Pictures for those who change the page.
fn screenshots(browser: &Browser, pages: &Path) -> Result<()> {
    let address = |page: &Path| format!("file://{}", page.display());
    let (page, narrow) = (
        address(&pages.join("one.html")),
        address(&framed(&pages.join("one.html"), 390, 9000)?),
    );
    let dark = "--blink-settings=preferredColorScheme=0";
    let shots = [
        ("wide", 1200, 6400, "", &page),
        ("narrow", 500, 9000, "", &narrow),
        ("dark", 1200, 6400, dark, &page),
    ];
    for (name, width, height, more, page) in shots {
        let mut command = browser.command(width);
        command.arg(format!("--window-size={width},{height}"));
        command.args(Some(more).filter(|more| !more.is_empty()));
        let taken = command
            .arg(format!("--screenshot={}", pages.join(format!("{name}.png")).display()))
            .arg(page)
            .status()?;
        ensure!(taken.success(), "no screenshot {name}");
    }
    let printed = browser
        .command(1200)
        .arg(format!("--print-to-pdf={}", pages.join("print.pdf").display()))
        .arg(&page)
        .status()?;
    ensure!(printed.success(), "the page cannot be printed");
    Ok(())
}

/// A served report is loaded again while it changes.
fn watch(browser: &Browser, pages: &Path, folder: &Path) -> Result<()> {
    let run = folder.join("run");
    std::fs::create_dir(&run)?;
    std::fs::copy(workspace_root().join("configs/smoke.toml"), run.join("config.toml"))?;
    let page = std::fs::read_to_string(pages.join("one.html"))?;
    // Counts how often it was loaded.
    let counter = "<script>sessionStorage.loads=Number(sessionStorage.loads||0)+1;\
                   document.documentElement.dataset.loads=sessionStorage.loads</script>";
    let write = |state: usize| -> Result<()> {
        let page = page.replace("</body>", &format!("<p>state {state}</p>{counter}</body>"));
        std::fs::write(run.join("new.html"), page)?;
        Ok(std::fs::rename(run.join("new.html"), run.join("report.html"))?)
    };
    write(0)?;
    let mut server = Server(
        Command::new(program()?)
            .arg("report")
            .arg(&run)
            .arg("--watch")
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the program")?,
    );
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().context("standard output")?).read_line(&mut line)?;
    let address = line
        .split_whitespace()
        .find(|word| word.starts_with("http://127.0.0.1:"));
    let address = address.with_context(|| format!("no address in {line:?}"))?;
    let done = AtomicBool::new(false);
    let document = std::thread::scope(|scope| {
        let changing = scope.spawn(|| -> Result<()> {
            for state in 1.. {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
                write(state)?;
            }
            Ok(())
        });
        // The page's clock runs ahead while nothing is on the way.
        let document = browser.dump(address, 1200, &["--virtual-time-budget=9000"]);
        done.store(true, Ordering::SeqCst);
        changing.join().expect("no panic").and(document)
    })?;
    let loads = document
        .split("data-loads=\"")
        .nth(1)
        .and_then(|text| text.split('"').next()?.parse::<u32>().ok());
    match loads {
        Some(loads) if loads > 1 => Ok(()),
        loads => bail!("the page was loaded {loads:?} times"),
    }
}

/// The program, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

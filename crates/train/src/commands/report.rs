//! `report`: regenerates the report of one or several finished runs from their folders, or serves that of a run in progress.

use crate::console::{Terminal, print_result};
use barlow_engine::config::{Config, Layers, load};
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_engine::protocols::{EvaluationRequest, portray_runs};
use barlow_engine::run::{Page, lacks_portrait, open_in_browser, serve, write_figures, write_report};
use barlow_engine::run_dir::RunDir;
use barlow_engine::stop::StopFlag;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What to report.
pub struct ReportRequest<'a> {
    /// Folders of runs.
    pub folders: &'a [PathBuf],
    /// The file; that of the only run without it.
    pub out: Option<&'a Path>,
    /// Where the figures go, if they are wanted.
    pub figures: Option<&'a Path>,
    /// Open it in a browser.
    pub open: bool,
    /// Where messages go.
    pub console: Terminal,
    /// The request of an evaluation of `RUN@last`.
    pub evaluation: &'a dyn Fn(String) -> Result<EvaluationRequest, RunError>,
}

impl ReportRequest<'_> {
    fn runs(&self) -> Result<Vec<(RunDir, Config)>, RunError> {
        let run = |folder: &PathBuf| {
            let run = RunDir::open(folder).map_err(RunError::usage)?;
            let (_, config) = load(&Layers::of_file(&run.config())).map_err(RunError::usage)?;
            Ok((run, config))
        };
        self.folders.iter().map(run).collect()
    }

    fn show(&self, target: &OsStr) {
        if self.open
            && let Err(error) = open_in_browser(target)
        {
            self.console.warn(&format!("{error:#}"));
        }
    }

    /// Computes what the report of a run of an earlier version lacks, from its last checkpoint.
    fn complete(&self, run: &RunDir) -> Result<(), RunError> {
        portray_runs(&(self.evaluation)(format!("{}@last", run.root().display()))?)
    }
}

/// Writes `out`, or `report.html` of the only run, and the figures.
///
/// # Errors
/// When a path is no run, a run is not finished, or `out` is missing with several runs.
pub fn run(request: &ReportRequest<'_>) -> Result<(), RunError> {
    let runs = request.runs()?;
    let out = match (request.out, runs.as_slice()) {
        (Some(out), _) => out.to_owned(),
        (None, [(run, _)]) => run.report(),
        (None, _) => {
            return Err(RunError::usage(
                "a report of several runs needs a file: pass --out FILE.html",
            ));
        }
    };
    if let [(run, _)] = runs.as_slice()
        && lacks_portrait(run)
    {
        match request.complete(run) {
            Err(RunError::Usage(reason)) => request.console.warn(&format!("the report has no map: {reason}")),
            Err(RunError::Failed(reason)) => request.console.warn(&format!("the report has no map: {reason:#}")),
            completed => completed?,
        }
    }
    write_report(&runs, &out)?;
    print_result(&format!("the report is in {}", out.display()));
    if let Some(folder) = request.figures {
        let figures = write_figures(&runs, folder)?;
        print_result(&format!("{figures} figures are in {}", folder.display()));
    }
    request.show(out.as_os_str());
    Ok(())
}

/// Serves the report of one run until the user stops it.
///
/// # Errors
/// When there are several runs, the path is no run, or the port is taken.
pub fn watch(request: &ReportRequest<'_>, port: u16, stop: &StopFlag) -> Result<(), RunError> {
    let [folder] = request.folders else {
        return Err(RunError::usage(
            "--watch shows one run; name one, or leave --watch out to compare several",
        ));
    };
    let page = Page::of(&RunDir::open(folder).map_err(RunError::usage)?);
    serve(&page, port, stop, &mut |address| {
        print_result(&format!("the report is at {address} (Ctrl-C ends it)"));
        request.show(OsStr::new(address));
        Ok(())
    })?;
    Ok(())
}

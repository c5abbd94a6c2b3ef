//! The `data` command: what was found in a data set, before anything is trained on it.

use super::sheet::{GAP, Sheet, fitted};
use crate::console::{Terminal, print_result};
use barlow_augment::{RgbImage8, encode_png};
use barlow_data::ImageSource;
use barlow_data::inspect::{Census, Duplicates, Repeated, census, duplicates};
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_engine::files::write_atomic;
use barlow_engine::sources::Sources;
use barlow_engine::stop::StopFlag;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Side of a picture on the sheet.
const SIDE: usize = 64;
const COLUMNS: usize = 12;
/// Rows of the sheet; a class is a row.
const ROWS: usize = 24;
/// Classes that are listed.
const LISTED: usize = 20;
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// What to look at.
pub struct DataRequest<'a> {
    /// The images.
    pub sources: &'a Sources,
    /// Where they lie.
    pub root: &'a Path,
    /// Decode at most this many images of each part.
    pub most: usize,
    /// Print one JSON object.
    pub json: bool,
    /// The sheet's file.
    pub out: &'a Path,
    /// Stops the decoding.
    pub stop: StopFlag,
}

/// Prints what was found and writes a contact sheet.
///
/// # Errors
/// If the sheet cannot be written, or the user stopped it.
pub fn run(request: &DataRequest<'_>, console: &Terminal) -> Result<(), RunError> {
    let Sources { train, test, .. } = request.sources;
    let counted = |source: &dyn ImageSource, part: &str| {
        let mut told = Instant::now();
        let mut progress = |done: usize, total: usize| {
            if told.elapsed() >= BETWEEN_LINES {
                console.line(&format!("{done} of {total} {part} images decoded"));
                told = Instant::now();
            }
            !request.stop.is_set()
        };
        let stopped = || RunError::Interrupted("stopped; nothing was written".to_owned());
        census(source, request.most, &mut progress).ok_or_else(stopped)
    };
    let train_census = counted(train.as_ref(), "training")?;
    let test_census = test.as_ref().map(|test| counted(test.as_ref(), "test")).transpose()?;
    let test_part = test.as_deref().zip(test_census.as_ref());
    let repeated = duplicates((train.as_ref(), &train_census), test_part);
    write_atomic(
        request.out,
        &encode_png(&sheet(train.as_ref(), &train_census)).map_err(anyhow::Error::from)?,
    )?;
    if request.json {
        let line = json!({
            "path": request.root.display().to_string(),
            "format": request.sources.format.to_string(),
            "train": train_census,
            "test": test_census,
            "unlabelled_test": request.sources.unlabelled_test,
            "held_out": request.sources.held_out,
            "skipped": request.sources.summary().left_out,
            "notes": request.sources.notes,
            "duplicates": repeated,
            "sheet": request.out.display().to_string(),
        });
        print_result(&Value::to_string(&line));
        return Ok(());
    }
    print_result(&format!(
        "data        {} ({})",
        request.root.display(),
        request.sources.format
    ));
    print_part("train", &train_census);
    match &test_census {
        Some(census) => print_part("test", census),
        None if request.sources.unlabelled_test > 0 => print_result(&format!(
            "test        {} images without labels: accuracy is not measured",
            request.sources.unlabelled_test
        )),
        None => print_result("test        none: accuracy is not measured"),
    }
    for line in request.sources.left_out.lines() {
        print_result(&format!("skipped     {line}"));
    }
    print_duplicates(&repeated);
    let row = if train_census.classes.is_empty() {
        "evenly spread"
    } else {
        "a class is a row"
    };
    print_result(&format!(
        "sheet       {} (training images, {row})",
        request.out.display()
    ));
    Ok(())
}

fn print_part(part: &str, census: &Census) {
    let classes = &census.classes;
    let labels = match (classes.len(), census.unlabelled) {
        (0, _) => ", no labels".to_owned(),
        (count, 0) => format!(", {count} classes"),
        (count, unlabelled) => format!(", {count} classes, {unlabelled} without a class"),
    };
    print_result(&format!("{part:11} {} images{labels}", census.images));
    if !classes.is_empty() {
        let listed = classes
            .iter()
            .take(LISTED)
            .map(|class| format!("{} {}", class.name, class.images));
        let more = classes.len().saturating_sub(LISTED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        print_result(&format!("            {}{more}", listed.collect::<Vec<_>>().join(", ")));
        let fewest = classes
            .iter()
            .min_by_key(|class| class.images)
            .expect("there are classes");
        // The first of several: `max_by_key` takes the last.
        let most = classes
            .iter()
            .rev()
            .max_by_key(|class| class.images)
            .expect("there are classes");
        print_result(&format!(
            "            from {} ({}) to {} ({}) images a class",
            fewest.images, fewest.name, most.images, most.name
        ));
    }
    let extensions = census.extensions.iter().map(|(name, count)| format!("{count} {name}"));
    print_result(&format!(
        "            files: {}",
        extensions.collect::<Vec<_>>().join(", ")
    ));
    if let Some(sizes) = census.sizes {
        let shown = |[width, height]: [usize; 2]| format!("{width}x{height}");
        print_result(&format!(
            "            sizes from {} to {}, {} of {} are {}",
            shown(sizes.smallest),
            shown(sizes.largest),
            sizes.of_commonest,
            census.decoded,
            shown(sizes.commonest)
        ));
    }
    if census.decoded < census.images {
        print_result(&format!(
            "            sizes, unreadable files and duplicates are those of {} images, evenly spread; --most decodes more",
            census.decoded
        ));
    }
    if census.unreadable.count > 0 {
        print_result(&format!(
            "            {} cannot be read; data.bad_images = \"skip\" leaves them out:",
            census.unreadable.count
        ));
        for error in &census.unreadable.first {
            print_result(&format!("              {error}"));
        }
    }
}

fn print_duplicates(found: &Duplicates) {
    let print = |repeated: &Repeated, what: &str| {
        if repeated.count > 0 {
            print_result(&format!("duplicates  {} {what}", repeated.count));
            for [again, before] in &repeated.first {
                print_result(&format!("              {again} = {before}"));
            }
        }
    };
    print(&found.within_train, "training images repeat another one");
    print(
        &found.test_in_train,
        "test images are training images too: accuracy on them means nothing",
    );
    if *found == Duplicates::default() {
        print_result("duplicates  none");
    }
}

/// Training images: a row for each class, or without classes all rows evenly spread.
fn sheet(source: &dyn ImageSource, census: &Census) -> RgbImage8 {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    if census.classes.is_empty() || census.unlabelled > 0 {
        let wanted = source.len().min(COLUMNS * ROWS);
        let spread: Vec<usize> = (0..wanted).map(|place| place * source.len() / wanted).collect();
        rows.extend(spread.chunks(COLUMNS).map(<[usize]>::to_vec));
    } else {
        let shown = census.classes.len().min(ROWS);
        let mut of_class = vec![Vec::new(); census.classes.len()];
        for index in 0..source.len() {
            source
                .labels(index)
                .into_iter()
                .for_each(|label| of_class[label].push(index));
        }
        rows.extend(of_class.iter().take(shown).map(|members| {
            let wanted = members.len().min(COLUMNS);
            (0..wanted)
                .map(|place| members[place * members.len() / wanted])
                .collect()
        }));
    }
    let cell = SIDE + GAP;
    let mut sheet = Sheet::new(COLUMNS * cell - GAP, rows.len().max(1) * cell - GAP);
    for (row, members) in rows.iter().enumerate() {
        for (column, &index) in members.iter().enumerate() {
            // An unreadable image is a gap; its error is printed.
            if let Ok(image) = source.image(index) {
                let picture = fitted(&image, SIDE, SIDE);
                let [left, top] = [SIDE - picture.width(), SIDE - picture.height()].map(|rest| rest / 2);
                sheet.put(&picture, column * cell + left, row * cell + top);
            }
        }
    }
    sheet.picture()
}

//! Tests of interrupted epochs: however an epoch is interrupted, the rest is identical, and dropping it never hangs.

use crate::common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use barlow_augment::Image8;
use barlow_data::{BadImages, DataError, HostBatch, ImageFolder, ImageSource, LoaderConfig, ViewLoader};
use common::{add_hostile_files, image, two_classes, views};

/// Long enough for any machine; a test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const THREADS: [usize; 3] = [1, 2, 7];

fn config(workers: usize) -> LoaderConfig {
    LoaderConfig {
        batch_size: 4,
        workers,
        queue: 2,
        seed: 9,
        drop_last: false,
        bad_images: BadImages::Skip,
    }
}

/// Opens everything from scratch, as in a newly started program.
fn fresh(folder: &std::path::Path, workers: usize) -> ViewLoader {
    let source = Arc::new(ImageFolder::open(folder, 3).unwrap());
    ViewLoader::new(source, views(), config(workers)).unwrap()
}

/// Runs `work` and fails instead of waiting for ever.
fn within_patience<T: Send + 'static>(what: String, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || sender.send(work()));
    let result = match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("{what} hangs"),
        Err(RecvTimeoutError::Disconnected) => panic!("{what} panicked"),
    };
    thread.join().unwrap().unwrap();
    result
}

#[test]
fn one_two_and_seven_threads_make_the_same_epochs() {
    let dir = two_classes(19);
    add_hostile_files(dir.path());
    let epochs = |workers| {
        let loader = fresh(dir.path(), workers);
        let made = |epoch| loader.epoch(epoch, 0).map(Result::unwrap).collect::<Vec<HostBatch>>();
        [made(0), made(1), made(2)]
    };
    let expected = epochs(0);
    // 41 files: ten full batches, and a single last image that is dropped.
    assert_eq!(expected.iter().map(Vec::len).collect::<Vec<_>>(), [10; 3]);
    for workers in THREADS {
        assert!(epochs(workers) == expected, "{workers} threads");
    }
}

#[test]
fn a_new_process_goes_on_after_any_step_with_the_same_batches() {
    let dir = two_classes(11);
    add_hostile_files(dir.path());
    let whole: Vec<HostBatch> = fresh(dir.path(), 2).epoch(3, 0).map(Result::unwrap).collect();
    assert_eq!(whole.len(), 6);
    for workers in THREADS {
        for taken in 0..=whole.len() {
            let loader = fresh(dir.path(), workers);
            let mut epoch = loader.epoch(3, 0);
            let before: Vec<HostBatch> = epoch.by_ref().take(taken).map(Result::unwrap).collect();
            assert!(before == whole[..taken]);
            drop((epoch, loader));
            // A checkpoint saves the two numbers.
            let after: Vec<HostBatch> = fresh(dir.path(), workers).epoch(3, taken).map(Result::unwrap).collect();
            assert!(after == whole[taken..], "{workers} threads, from step {taken}");
        }
    }
}

#[test]
fn leaving_at_any_moment_never_hangs() {
    let dir = two_classes(40);
    let source: Arc<dyn ImageSource> = Arc::new(ImageFolder::open(dir.path(), 3).unwrap());
    for workers in THREADS {
        for queue in [0, 1, 4] {
            let config = LoaderConfig {
                queue,
                batch_size: 2,
                ..config(workers)
            };
            let source = Arc::clone(&source);
            within_patience(format!("{workers} threads, queue {queue}"), move || {
                let loader = ViewLoader::new(source, views(), config).unwrap();
                // Moments from before the first image to after several batches, with the loader dropped before the epoch.
                for moment in 0..40 {
                    let mut epoch = loader.epoch(moment, 0);
                    let start = Instant::now();
                    while start.elapsed() < Duration::from_micros(moment * moment * 3) {
                        std::hint::spin_loop();
                    }
                    if moment % 3 == 0 {
                        epoch.next().unwrap().unwrap();
                    }
                }
                let mut epoch = loader.epoch(99, 0);
                drop(loader);
                assert!(epoch.next().unwrap().is_ok());
            });
        }
    }
}

/// A source that blocks until the gate is opened, like a network disk that is gone.
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    /// Images that are returned before the gate blocks.
    free: usize,
}

impl Gate {
    fn new(free: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::new(false),
            opened: Condvar::new(),
            waiting: AtomicUsize::new(0),
            free,
        })
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl ImageSource for Gate {
    fn len(&self) -> usize {
        64
    }
    fn classes(&self) -> &[String] {
        &[]
    }
    fn channels(&self) -> usize {
        3
    }
    fn label(&self, _: usize) -> Option<usize> {
        None
    }
    fn name(&self, index: usize) -> String {
        index.to_string()
    }
    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= self.free {
            let open = self.open.lock().unwrap();
            drop(self.opened.wait_while(open, |open| !*open).unwrap());
        }
        Ok(Arc::new(image(index).into()))
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn leaving_while_the_source_hangs_returns_and_its_threads_end_when_it_goes_on() {
    for (workers, free) in [(1, 0), (2, 6), (7, 1)] {
        let gate = Gate::new(free);
        let loader = ViewLoader::new(gate.clone(), views(), config(workers)).unwrap();
        let epoch = loader.epoch(0, 0);
        wait_until("no image is asked for", || gate.waiting.load(Ordering::SeqCst) > free);
        within_patience(format!("{workers} threads, {free} images"), move || {
            drop((epoch, loader))
        });
        // Still held by the detached thread.
        assert!(Arc::strong_count(&gate) > 1);
        gate.open();
        wait_until("a thread is left for ever", || Arc::strong_count(&gate) == 1);
    }
}

#[test]
fn a_slow_source_is_waited_for_so_that_no_thread_outlives_its_epoch() {
    let gate = Gate::new(0);
    let loader = ViewLoader::new(gate.clone(), views(), config(2)).unwrap();
    let epoch = loader.epoch(0, 0);
    wait_until("no image is asked for", || gate.waiting.load(Ordering::SeqCst) > 0);
    let opener = {
        let gate = Arc::clone(&gate);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            gate.open();
        })
    };
    let open_at_the_end = {
        let gate = Arc::clone(&gate);
        within_patience("a slow source".into(), move || {
            drop(epoch);
            *gate.open.lock().unwrap()
        })
    };
    assert!(open_at_the_end, "the epoch was left before its images were there");
    opener.join().unwrap();
    assert_eq!(loader.epoch(0, 0).map(Result::unwrap).count(), 16);
}

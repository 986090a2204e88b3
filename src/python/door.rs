//! The one door to the core: long work runs detached from the interpreter, on its own thread.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{mpsc, OnceLock};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::errors;
use crate::control::Control;
use crate::heap::Keep;
use crate::kind::Kind;

/// How often signals are checked and progress is reported.
const TICK: Duration = Duration::from_millis(50);

/// Process that first used the door; rayon's pool does not survive a fork.
static OWNER: AtomicU32 = AtomicU32::new(0);
static LOG_HANDLE: OnceLock<pyo3_log::ResetHandle> = OnceLock::new();

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(set_threads, module)?)?;
    module.add_function(wrap_pyfunction!(get_threads, module)?)?;
    module.add_function(wrap_pyfunction!(reset_logging, module)?)?;
    module.add_function(wrap_pyfunction!(wait, module)?)
}

/// Run `work` with the interpreter detached. Every 50 ms signals are checked and `progress(done, total)` is called;
/// when either raises, the work is cancelled and waited for, and the exception surfaces.
pub(super) fn run_detached<T, E, F>(py: Python<'_>, progress: Option<Py<PyAny>>, work: F) -> PyResult<T>
where
    T: Send,
    E: Kind + Send + 'static,
    F: FnOnce(&Control) -> Result<T, E> + Send,
{
    refuse_fork()?;
    LOG_HANDLE.get_or_init(|| pyo3_log::try_init().unwrap_or_default_handle());
    let control = Control::new();
    // Large arrays of the call are used again within it.
    let _keep = Keep::new();
    py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let control = &control;
            let worker = scope.spawn(move || {
                let outcome = work(control);
                // The receiver outlives the scope's threads; a failed send has no one to tell.
                let _ = sender.send(());
                outcome
            });
            let mut raised: Option<PyErr> = None;
            let mut last = (u64::MAX, u64::MAX);
            loop {
                match receiver.recv_timeout(TICK) {
                    Err(mpsc::RecvTimeoutError::Timeout) if !worker.is_finished() => {}
                    _ => break,
                }
                if raised.is_none() {
                    if let Err(error) = Python::attach(|py| tick(py, control, progress.as_ref(), &mut last)) {
                        control.cancel();
                        raised = Some(error);
                    }
                }
            }
            let outcome = worker.join();
            if let Some(error) = raised {
                return Err(error);
            }
            match outcome {
                Ok(Ok(value)) => {
                    if progress.is_some() {
                        Python::attach(|py| tick(py, control, progress.as_ref(), &mut last))?;
                    }
                    Ok(value)
                }
                Ok(Err(error)) => Err(errors::exception(&error)),
                Err(panic) => Err(PyRuntimeError::new_err(panic_text(panic.as_ref()))),
            }
        })
    })
}

fn tick(
    py: Python<'_>,
    control: &Control,
    progress: Option<&Py<PyAny>>,
    last: &mut (u64, u64),
) -> PyResult<()> {
    py.check_signals()?;
    let now = control.progress();
    if let (Some(callback), true) = (progress, now != *last) {
        callback.call1(py, now)?;
        *last = now;
    }
    Ok(())
}

fn refuse_fork() -> PyResult<()> {
    let here = std::process::id();
    let owner =
        OWNER.compare_exchange(0, here, Ordering::AcqRel, Ordering::Acquire).unwrap_or_else(|owner| owner);
    if owner != 0 && owner != here {
        return Err(PyRuntimeError::new_err(format!(
            "dsa110_contimg was used in process {owner} before this child ({here}) was forked: its threads did not \
             survive the fork; start workers with multiprocessing's 'spawn' or 'forkserver' method"
        )));
    }
    Ok(())
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned());
    format!("internal error in the core (please report it): {text}")
}

trait HandleOrDefault {
    fn unwrap_or_default_handle(self) -> pyo3_log::ResetHandle;
}

impl HandleOrDefault for Result<pyo3_log::ResetHandle, log::SetLoggerError> {
    fn unwrap_or_default_handle(self) -> pyo3_log::ResetHandle {
        self.unwrap_or_else(|_| pyo3_log::Logger::default().reset_handle())
    }
}

/// Size the core's one thread pool; works once, before the first long call.
///
/// Raises RuntimeError when the pool is already running with another size.
#[pyfunction]
fn set_threads(threads: usize) -> PyResult<()> {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Ok(()) => Ok(()),
        Err(_) if rayon::current_num_threads() == threads => Ok(()),
        Err(error) => Err(PyRuntimeError::new_err(format!(
            "threads: the pool already runs with {} threads: {error}",
            rayon::current_num_threads()
        ))),
    }
}

/// Number of threads of the core's pool.
#[pyfunction]
fn get_threads() -> usize {
    rayon::current_num_threads()
}

/// Forget cached log levels; call after logging was configured.
#[pyfunction]
fn reset_logging() {
    if let Some(handle) = LOG_HANDLE.get() {
        handle.reset();
    }
}

/// Do nothing for `seconds`, cancellably: the door's own test piece.
#[pyfunction]
#[pyo3(signature = (seconds, *, progress=None))]
fn wait(py: Python<'_>, seconds: f64, progress: Option<Py<PyAny>>) -> PyResult<()> {
    run_detached(py, progress, |control| {
        let steps = (seconds / 0.01).ceil() as u64;
        control.expect(steps);
        for _ in 0..steps {
            control.check()?;
            std::thread::sleep(Duration::from_millis(10));
            control.advance(1);
        }
        Ok::<(), crate::control::Cancelled>(())
    })
}

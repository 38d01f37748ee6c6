//! Logs, to standard error: lines for people or JSON for machines.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use super::TelemetryError;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line, for machines.
    Json,
}

/// Sends this process' logs to standard error. The filter is written as for
/// `tracing_subscriber`: `info`, or `warn,aisle_worker=debug`.
///
/// # Errors
/// When the filter cannot be read, or logs are set up already.
pub fn init_logging(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let colours = io::stderr().is_terminal();
    subscriber(format, filter, colours, io::stderr)?.try_init()?;
    Ok(())
}

fn subscriber<W>(
    format: LogFormat,
    filter: &str,
    colours: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse(filter)?)
        .with_ansi(colours)
        // What cannot be written is lost. To complain of it on standard error
        // would end the process where that is what cannot be written.
        .log_internal_errors(false)
        .with_writer(writer);
    Ok(match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => {
            Box::new(builder.json().flatten_event(true).with_span_list(false).finish())
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of one event above the filter and one below it.
    fn written(format: LogFormat) -> String {
        let page = Page::default();
        let to = page.clone();
        let subscriber = subscriber(format, "info", false, move || to.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(job = 7, "job \"submitted\"");
            tracing::debug!("a detail");
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_is_one_plain_line_for_each_event_that_the_filter_lets_through() {
        let text = written(LogFormat::Text);
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("INFO") && text.contains("job=7"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn json_is_one_object_for_each_event_that_the_filter_lets_through() {
        let line: serde_json::Value = serde_json::from_str(&written(LogFormat::Json)).unwrap();
        assert_eq!(line["message"], "job \"submitted\"");
        assert_eq!((line["level"].as_str(), line["job"].as_u64()), (Some("INFO"), Some(7)));
        assert!(line["timestamp"].is_string());
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error() {
        let error = init_logging(LogFormat::Text, "aisle=loud").unwrap_err();
        assert!(matches!(error, TelemetryError::Filter(_)), "{error}");
    }
}

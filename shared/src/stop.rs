//! When to stop: SIGTERM or SIGINT.

use tokio::sync::watch;

/// A flag that turns true at the first SIGTERM or SIGINT. Needs a tokio runtime.
#[must_use]
pub fn stop_signal() -> watch::Receiver<bool> {
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        if let Err(error) = signalled().await {
            log::error!("signals can't be waited for: {error}");
            // Without signals there is no clean stop; the flag stays false as long as the program runs.
            std::future::pending::<()>().await;
        }
        log::info!("stopping: no new work, what is in hand is finished");
        tell.send_replace(true);
        // Kept, so that a flag that was never looked at is still true later.
        tell.closed().await;
    });
    told
}

async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

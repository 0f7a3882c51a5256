//! A way to a server that can be lost: connections stay open and carry nothing any more, as when a cable is pulled.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A loopback port that leads to another one.
#[derive(Debug)]
pub struct Network {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Both ends of every connection, and whether it is cut.
    connections: Mutex<Vec<(TcpStream, TcpStream, Arc<AtomicBool>)>>,
    over: AtomicBool,
}

impl Network {
    /// A way to `target`.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn to(target: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
        let port = listener.local_addr().context("a free port")?.port();
        let shared = Arc::new(Shared::default());
        let inner = Arc::clone(&shared);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if inner.over.load(Ordering::Relaxed) {
                    return;
                }
                // Where nobody listens behind it, the connection is closed at once.
                let _ = inner.carry(near, target);
            }
        });
        Ok(Self { port, shared })
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection that there is; new ones work.
    pub fn cut(&self) {
        let connections = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().for_each(|(_, _, cut)| cut.store(true, Ordering::Relaxed));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let connections = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for (near, far, _) in connections.iter() {
            let _ = near.shutdown(Shutdown::Both);
            let _ = far.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn carry(&self, near: TcpStream, target: u16) -> std::io::Result<()> {
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let cut = Arc::new(AtomicBool::new(false));
        for (mut from, mut to) in
            [(near.try_clone()?, far.try_clone()?), (far.try_clone()?, near.try_clone()?)]
        {
            let cut = Arc::clone(&cut);
            thread::spawn(move || {
                let mut chunk = vec![0; 64 << 10];
                while let Ok(length @ 1..) = from.read(&mut chunk) {
                    if cut.load(Ordering::Relaxed) || to.write_all(&chunk[..length]).is_err() {
                        break;
                    }
                }
                if !cut.load(Ordering::Relaxed) {
                    // It may be closed already.
                    let _ = to.shutdown(Shutdown::Both);
                }
            });
        }
        // They are held here, so that a connection that is cut is not closed.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push((near, far, cut));
        Ok(())
    }
}

//! The way from a node to a database, which can be interrupted.

use std::net::SocketAddrV4;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Nothing gets through, and nobody is told.
    Silent,
    /// Connections break, and new ones do at once.
    Broken,
}

/// Passes on what comes in at one address to another, byte by byte.
#[derive(Debug)]
pub(crate) struct Forwarder {
    address: SocketAddrV4,
    way: watch::Sender<Way>,
}

impl Forwarder {
    /// From an address that nobody listens at.
    pub(crate) async fn start(from: SocketAddrV4, to: SocketAddrV4) -> std::io::Result<Arc<Self>> {
        let listener = TcpListener::bind(from).await?;
        let (way, seen) = watch::channel(Way::Open);
        tokio::spawn(async move {
            // A listener that fails leaves the node without a database, which is noticed.
            while let Ok((incoming, _)) = listener.accept().await {
                tokio::spawn(forward(incoming, to, seen.clone()));
            }
        });
        Ok(Arc::new(Self { address: from, way }))
    }

    pub(crate) const fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Changes how the way is, for connections that are there and for those that come.
    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn forward(incoming: TcpStream, to: SocketAddrV4, way: watch::Receiver<Way>) {
    let mut broken = way.clone();
    let passing = async {
        let outgoing = TcpStream::connect(to).await?;
        let ((mut from_node, mut to_node), (mut from_store, mut to_store)) =
            (incoming.into_split(), outgoing.into_split());
        tokio::select! {
            ended = pass(&mut from_node, &mut to_store, way.clone()) => ended,
            ended = pass(&mut from_store, &mut to_node, way) => ended,
        }
    };
    tokio::select! {
        _broken = broken.wait_for(|way| *way == Way::Broken) => {}
        _ended = passing => {}
    }
}

async fn pass(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        // Who forwards is gone, or the way is open.
        drop(way.wait_for(|way| *way == Way::Open).await);
        match bytes.get(..read) {
            None | Some([]) => return Ok(()),
            Some(read) => to.write_all(read).await?,
        }
    }
}

//! A server in Slack's place, which keeps what it is sent: what on-call reads is text that nothing else looks at.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

/// What is read in a channel.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Message {
    channel: String,
    title: String,
    text: String,
}

/// What a webhook is sent; Alertmanager puts all that it has to say into one attachment.
#[derive(Deserialize)]
struct Sent {
    channel: String,
    attachments: [Attachment; 1],
}

#[derive(Deserialize)]
struct Attachment {
    title: String,
    text: String,
}

/// The server. It is gone when this is dropped.
pub(super) struct Slack {
    address: SocketAddr,
    messages: UnboundedReceiver<Message>,
    _serving: JoinSet<()>,
}

impl Slack {
    /// Starts one on a free port.
    pub(super) async fn listen() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("nobody can listen in Slack's place")?;
        let address = listener.local_addr()?;
        let (keep, messages) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, keep));
        Ok(Self { address, messages, _serving: serving })
    }

    /// The address of its webhook.
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The next message, whenever it comes.
    pub(super) async fn next(&mut self) -> Result<Message> {
        self.messages.recv().await.context("nobody listens in Slack's place any more")
    }
}

async fn serve(listener: TcpListener, keep: UnboundedSender<Message>) {
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let keep = keep.clone();
        let answer = service_fn(move |request| take(request, keep.clone()));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), answer));
    }
}

/// Keeps one message, and answers as Slack does.
async fn take(request: Request<Incoming>, keep: UnboundedSender<Message>) -> Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let Sent { channel, attachments: [Attachment { title, text }] } = serde_json::from_slice(&body)?;
    keep.send(Message { channel, title, text: text.trim_end().to_owned() })?;
    Ok(Response::new(Full::from("ok")))
}

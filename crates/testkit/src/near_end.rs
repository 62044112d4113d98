//! The near end of a line to a database: whoever connects there is carried to the server, by whom one likes.

use std::io;
use std::net::Ipv4Addr;

use sqlx::mysql::MySqlConnectOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A port of this machine that leads to a database. Nobody finds it there any more once this is dropped; who is under way is
/// carried on.
#[derive(Debug)]
pub struct NearEnd {
    port: u16,
    listening: JoinHandle<()>,
}

impl NearEnd {
    /// That of a line to the server of `database`. `carry` gets each connection's two ends, the near one and the far one.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn of<Carried>(
        database: &MySqlConnectOptions,
        carry: impl Fn(TcpStream, TcpStream) -> Carried + Clone + Send + 'static,
    ) -> io::Result<Self>
    where
        Carried: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let far = format!("{}:{}", database.get_host(), database.get_port());
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (far, carry) = (far.clone(), carry.clone());
                tokio::spawn(async move {
                    let far = TcpStream::connect(far).await?;
                    near.set_nodelay(true)?;
                    far.set_nodelay(true)?;
                    carry(near, far).await
                });
            }
        });
        Ok(Self { port, listening })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How `database` is reached by it.
    pub fn reach(&self, database: MySqlConnectOptions) -> MySqlConnectOptions {
        database.host(&Ipv4Addr::LOCALHOST.to_string()).port(self.port)
    }
}

impl Drop for NearEnd {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

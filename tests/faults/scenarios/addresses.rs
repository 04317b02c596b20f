//! A server with several addresses, one of which is dead.

use std::{net::Ipv4Addr, time::Duration};

use kit::{Outcome, Proxy};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{World, api};

/// An address that answers no packet, as behind a firewall that drops them: its queue of connections is full, because
/// nobody accepts them.
pub struct Dead {
    pub port: u16,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Dead {
    pub async fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        let connect = || tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address));
        while let Ok(connected) = connect().await {
            waiting.push(connected.unwrap());
        }
        Self { port: address.port(), _listener: listener, _waiting: waiting }
    }
}

/// Returns the database's URL with another address in front of its own, and with these parameters.
fn behind(port: u16, url: &str, parameters: &str) -> String {
    format!("{}?{parameters}", url.replacen("@127.0.0.1:", &format!("@127.0.0.1:{port},127.0.0.1:"), 1))
}

/// Sends ten requests, the first of which needs a new connection.
async fn ten(fault: &str, world: &World, url: &str) -> Outcome {
    let mut outcome = Outcome::new(fault);
    let api = api(url, 1);
    for _ in 0..10 {
        outcome.answer(api.get("/tasks").by(&world.ada).send()).await;
    }
    outcome
}

pub async fn first_is_dead() -> Outcome {
    let (world, dead) = (World::new().await, Dead::new().await);
    ten("two addresses, the first swallows packets", &world, &behind(dead.port, &world.database, "")).await
}

pub async fn first_is_dead_and_less_time() -> Outcome {
    let (world, dead) = (World::new().await, Dead::new().await);
    let url = behind(dead.port, &world.database, "connect_timeout=1");
    ten("the same, connect_timeout=1", &world, &url).await
}

/// The first address accepts the TCP connection and sends nothing.
pub async fn first_is_silent() -> Outcome {
    let world = World::new().await;
    let silent = Proxy::start(&world.database).await;
    silent.black_hole();
    let port = silent.url().rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    ten("two addresses, the first says nothing", &world, &behind(port, &world.database, "")).await
}

pub async fn first_refuses() -> Outcome {
    let world = World::new().await;
    ten("two addresses, the first refuses", &world, &behind(1, &world.database, "")).await
}

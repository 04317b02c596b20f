//! A TCP proxy in front of PostgreSQL or PgBouncer that simulates network faults.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{JoinHandle, yield_now},
    time::{Instant, sleep_until},
};

/// A proxy on its own port of 127.0.0.1, in front of the database of a URL. By default it forwards everything without
/// delay. Dropping it closes its connections.
pub struct Proxy {
    url: String,
    /// Keeps the port. The kernel refuses connections while only this socket, which does not listen, is bound to it.
    port: TcpSocket,
    network: Arc<Network>,
    /// Accepts connections, unless they are refused.
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

/// The way in which a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// With FIN: data sent before still arrive.
    Fin,
    /// With RST: data that have not arrived are lost.
    Rst,
}

#[derive(Default)]
struct Network(Mutex<State>);

#[derive(Default)]
struct State {
    target: String,
    mode: Mode,
    delay: Duration,
    /// The answer to lose: the number of requests before its request, and how to close the connection.
    answer_to_lose: Option<(usize, Cut)>,
    links: BTreeMap<u64, UnboundedSender<Command>>,
    connections: u64,
    round_trips: u64,
    statements: u64,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mode {
    #[default]
    Forward,
    /// New connections are accepted and then closed.
    CloseNew,
    /// New connections are accepted and get no data.
    BlackHole,
}

/// A command to an open connection.
enum Command {
    Cut(Cut),
    BlackHole,
}

impl Proxy {
    /// Starts a proxy in front of the database of this URL, which must have a port.
    ///
    /// # Panics
    /// Panics if no port is free.
    pub async fn start(url: &str) -> Self {
        let port = bind(0);
        let network = Arc::new(Network::default());
        network.state().target = target(url);
        let number = address(port.local_addr()).port();
        let url = url.replacen(&host_and_port(url), &format!("{}:{number}", host(url)), 1);
        let proxy = Self { url, port, network, acceptor: Mutex::new(None) };
        proxy.listen();
        proxy
    }

    /// Returns the database's URL through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets the server of new connections.
    pub fn set_target(&self, url: &str) {
        self.network.state().target = target(url);
    }

    /// Forwards everything again, without delay. A connection that was in a black hole stays lost: the next data from
    /// the client are answered with RST.
    ///
    /// # Panics
    /// Panics if another program took the port while the proxy refused connections.
    pub fn restore(&self) {
        let mut state = self.network.state();
        (state.mode, state.delay) = (Mode::Forward, Duration::ZERO);
        drop(state);
        self.listen();
    }

    fn listen(&self) {
        lock(&self.acceptor).get_or_insert_with(|| {
            let socket = bind(address(self.port.local_addr()).port());
            let listener = socket.listen(1024).unwrap_or_else(|error| panic!("cannot listen: {error}"));
            tokio::spawn(accept(listener, Arc::clone(&self.network)))
        });
    }

    /// Delays all data by this time in each direction.
    pub fn delay(&self, delay: Duration) {
        self.network.state().delay = delay;
    }

    /// Refuses new connections, as if no server listened. Keeps the open ones.
    pub async fn refuse(&self) {
        let acceptor = lock(&self.acceptor).take();
        if let Some(acceptor) = acceptor {
            acceptor.abort();
            // The listener is closed when the task has ended, with an error because it was aborted.
            let _ = acceptor.await;
        }
    }

    /// Accepts new connections and closes them before any data. Keeps the open ones.
    pub fn close_new(&self) {
        self.network.state().mode = Mode::CloseNew;
    }

    /// Discards all data in both directions, and hides the closing of connections.
    pub fn black_hole(&self) {
        let mut state = self.network.state();
        state.mode = Mode::BlackHole;
        state.links.values().for_each(|link| _ = link.send(Command::BlackHole));
    }

    /// Closes every connection.
    pub fn cut(&self, how: Cut) {
        self.network.state().links.values().for_each(|link| _ = link.send(Command::Cut(how)));
    }

    /// Closes one connection: number `index` modulo their number. Returns false if there is none.
    pub fn cut_one(&self, index: usize, how: Cut) -> bool {
        let state = self.network.state();
        let link = state.links.values().cycle().nth(index % state.links.len().max(1));
        link.is_some_and(|link| link.send(Command::Cut(how)).is_ok())
    }

    /// Loses one answer: after `others` more requests, the server gets the next request, its answer is discarded, and
    /// the connection is closed.
    pub fn lose_answer(&self, others: usize, how: Cut) {
        self.network.state().answer_to_lose = Some((others, how));
    }

    /// True if the request of the answer to lose has been sent.
    pub fn has_lost_answer(&self) -> bool {
        self.network.state().answer_to_lose.is_none()
    }

    /// Returns the number of accepted connections so far.
    pub fn connections(&self) -> u64 {
        self.network.state().connections
    }

    /// Returns the number of open connections.
    pub fn open_connections(&self) -> usize {
        self.network.state().links.len()
    }

    /// Returns the number of round trips so far: changes from data of the client to data of the server.
    pub fn round_trips(&self) -> u64 {
        self.network.state().round_trips
    }

    /// Returns the number of statements sent so far, including lost ones. Under TLS it stays 0.
    pub fn statements(&self) -> u64 {
        self.network.state().statements
    }
}

/// Binds a socket to a port of 127.0.0.1, 0 for one that is free. With SO_REUSEPORT several sockets of this user share it.
fn bind(port: u16) -> TcpSocket {
    let socket = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        Ok::<_, io::Error>(socket)
    };
    socket().unwrap_or_else(|error| panic!("cannot bind a port for the proxy: {error}"))
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(acceptor) = &*lock(&self.acceptor) {
            acceptor.abort();
        }
        self.cut(Cut::Fin);
    }
}

impl Network {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address(address: io::Result<SocketAddr>) -> SocketAddr {
    address.unwrap_or_else(|error| panic!("the listener has no address: {error}"))
}

/// Returns `host:port` of the URL.
fn host_and_port(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

fn host(url: &str) -> String {
    host_and_port(url).rsplit_once(':').unwrap_or_else(|| panic!("the database URL has no port")).0.to_owned()
}

/// Returns the address of the URL's server. The tests' servers listen only on IPv4.
fn target(url: &str) -> String {
    host_and_port(url).replace("localhost", "127.0.0.1")
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    for id in 0.. {
        let Ok((client, _)) = listener.accept().await else { return };
        let (link, commands) = unbounded_channel();
        let mut state = network.state();
        // The counter restarts when the proxy listens again, so skip the IDs in use.
        let id = state.links.last_key_value().map_or(id, |(last, _)| id.max(last + 1));
        state.connections += 1;
        if state.mode != Mode::CloseNew {
            state.links.insert(id, link);
            drop(state);
            let network = Arc::clone(&network);
            tokio::spawn(async move {
                // An error also closes both sides.
                let _ = serve(client, commands, &network).await;
                network.state().links.remove(&id);
            });
        }
    }
}

async fn serve(
    mut client: TcpStream,
    commands: UnboundedReceiver<Command>,
    network: &Network,
) -> io::Result<()> {
    let (mode, target) = {
        let state = network.state();
        (state.mode, state.target.clone())
    };
    if mode == Mode::BlackHole {
        return discard(client, commands, network).await;
    }
    client.set_nodelay(true)?;
    let server = match TcpStream::connect(target).await {
        Ok(server) => server,
        // The connection is already accepted, so RST is the closest to a refusal.
        Err(_) => return close(&mut client, Cut::Rst).await,
    };
    server.set_nodelay(true)?;
    Link {
        client,
        server,
        to_server: Queue::default(),
        to_client: Queue::default(),
        awaits_answer: false,
        lose_answer: None,
    }
    .run(commands, network)
    .await
}

struct Link {
    client: TcpStream,
    server: TcpStream,
    to_server: Queue,
    to_client: Queue,
    /// True if the client sent data after the server's last answer.
    awaits_answer: bool,
    /// Set when the request of the answer to lose has been sent.
    lose_answer: Option<Cut>,
}

impl Link {
    async fn run(mut self, mut commands: UnboundedReceiver<Command>, network: &Network) -> io::Result<()> {
        let (mut sent, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::BlackHole) => {
                        drop(self.server);
                        return discard(self.client, commands, network).await;
                    }
                    Some(Command::Cut(how)) => return self.cut(how).await,
                    None => return Ok(()),
                },
                length = self.client.read(&mut sent), if !self.to_server.ends => {
                    let chunk = &sent[..length?];
                    let delay = self.record_sent(chunk, network);
                    self.to_server.push(chunk, delay);
                }
                length = self.server.read(&mut answered), if !self.to_client.ends => {
                    let chunk = &answered[..length?];
                    if let Some(how) = self.lose_answer {
                        return self.cut(how).await;
                    }
                    let delay = self.record_received(network);
                    self.to_client.push(chunk, delay);
                }
                () = self.to_server.due() => self.to_server.write(&mut self.server).await?,
                () = self.to_client.due() => self.to_client.write(&mut self.client).await?,
            }
            if self.to_server.is_done || self.to_client.is_done {
                return Ok(());
            }
        }
    }

    fn record_sent(&mut self, chunk: &[u8], network: &Network) -> Duration {
        let mut state = network.state();
        self.awaits_answer = true;
        state.statements += statements(chunk);
        match state.answer_to_lose.take() {
            Some((0, how)) if !chunk.is_empty() => self.lose_answer = Some(how),
            Some((others, how)) => {
                state.answer_to_lose = Some((others - usize::from(!chunk.is_empty()), how))
            }
            None => {}
        }
        state.delay
    }

    fn record_received(&mut self, network: &Network) -> Duration {
        let mut state = network.state();
        state.round_trips += u64::from(std::mem::take(&mut self.awaits_answer));
        state.delay
    }

    async fn cut(mut self, how: Cut) -> io::Result<()> {
        close(&mut self.server, how).await?;
        close(&mut self.client, how).await
    }
}

/// The delayed data in one direction.
#[derive(Default)]
struct Queue {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// True if the sender has closed its side. The last chunk is then empty.
    ends: bool,
    /// True if the receiver has got the end. PostgreSQL and its clients send nothing more after that.
    is_done: bool,
}

impl Queue {
    fn push(&mut self, chunk: &[u8], delay: Duration) {
        self.ends = chunk.is_empty();
        self.chunks.push_back((Instant::now() + delay, chunk.to_vec()));
    }

    /// Waits until the first chunk is due.
    async fn due(&self) {
        match self.chunks.front() {
            Some((due, _)) => sleep_precisely(*due).await,
            None => pending().await,
        }
    }

    async fn write(&mut self, receiver: &mut TcpStream) -> io::Result<()> {
        match self.chunks.pop_front() {
            Some((_, chunk)) if chunk.is_empty() => {
                self.is_done = true;
                receiver.shutdown().await
            }
            Some((_, chunk)) => receiver.write_all(&chunk).await,
            None => Ok(()),
        }
    }
}

/// Sleeps until `due`. The runtime's timer may be up to 2 ms late, so the last 2 ms are spent polling the clock.
async fn sleep_precisely(due: Instant) {
    sleep_until(due - Duration::from_millis(2)).await;
    while Instant::now() < due {
        yield_now().await;
    }
}

/// Discards the client's data. After [`Proxy::restore`], answers its next data with RST.
async fn discard(
    mut client: TcpStream,
    mut commands: UnboundedReceiver<Command>,
    network: &Network,
) -> io::Result<()> {
    let mut sent = [0; 16 * 1024];
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Cut(how)) => return close(&mut client, how).await,
                Some(Command::BlackHole) => {}
                None => return Ok(()),
            },
            length = client.read(&mut sent) => {
                let length = length?;
                if length == 0 {
                    return Ok(());
                }
                let is_restored = {
                    let mut state = network.state();
                    state.statements += statements(&sent[..length]);
                    state.mode != Mode::BlackHole
                };
                if is_restored {
                    return close(&mut client, Cut::Rst).await;
                }
            }
        }
    }
}

/// Closes the stream, which must be dropped afterwards.
async fn close(stream: &mut TcpStream, how: Cut) -> io::Result<()> {
    match how {
        Cut::Fin => stream.shutdown().await,
        Cut::Rst => stream.set_zero_linger(),
    }
}

/// Counts the statements that are executed: the messages `Execute`, as tokio-postgres sends it, and `Query`. A chunk may hold
/// several messages, such as the `Parse` of a statement that is prepared beside another.
fn statements(chunk: &[u8]) -> u64 {
    const EXECUTE_AND_SYNC: &[u8] = b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";
    let executed = chunk.windows(EXECUTE_AND_SYNC.len()).filter(|window| *window == EXECUTE_AND_SYNC).count();
    (executed + usize::from(chunk.first() == Some(&b'Q'))) as u64
}

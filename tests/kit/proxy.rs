//! A TCP proxy in front of a PostgreSQL or PgBouncer, which makes the faults of a network.

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

/// Stands between a client and the database of a URL, on a port of 127.0.0.1 of its own. Until told otherwise it passes
/// everything on at once. When it is dropped, so are its connections.
pub struct Proxy {
    url: String,
    port: u16,
    network: Arc<Network>,
    acceptor: Mutex<Acceptor>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// In good order: what was sent before still arrives.
    Fin,
    /// At once, as by a machine that knows nothing of the connection: what has not arrived is lost.
    Rst,
}

enum Acceptor {
    Listening(JoinHandle<()>),
    /// A socket that is bound and does not listen keeps the port, and the kernel refuses who connects.
    Refusing {
        _socket: TcpSocket,
    },
}

#[derive(Default)]
struct Network(Mutex<State>);

#[derive(Default)]
struct State {
    target: String,
    weather: Weather,
    delay: Duration,
    /// The answer that will be lost: after how many others, and how its connection then ends.
    to_lose: Option<(usize, Cut)>,
    links: BTreeMap<u64, UnboundedSender<Order>>,
    connections: u64,
    turns: u64,
    statements: u64,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Weather {
    #[default]
    Fair,
    /// New connections are accepted and then closed.
    Closing,
    /// New connections are accepted and hear nothing.
    BlackHole,
}

enum Order {
    Cut(Cut),
    Swallow,
}

impl Proxy {
    /// In front of the database of this URL, which names its port.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn start(url: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.unwrap_or_else(|error| panic!("no port for the proxy: {error}"));
        let port = address(listener.local_addr()).port();
        let network = Arc::new(Network::default());
        network.state().target = target(url);
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&network)));
        let url = url.replacen(&place(url), &format!("{}:{port}", host(url)), 1);
        Self { url, port, network, acceptor: Mutex::new(Acceptor::Listening(acceptor)) }
    }

    /// The database's URL, by way of the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on new connections lead to the server of this URL.
    pub fn lead_to(&self, url: &str) {
        self.network.state().target = target(url);
    }

    /// Everything is passed on again, at once. A connection that was in a black hole stays lost: the server knows it no
    /// longer, and answers what the client next sends there with a reset.
    ///
    /// # Panics
    /// Something else took the port while it refused.
    pub fn pass(&self) {
        let mut state = self.network.state();
        (state.weather, state.delay) = (Weather::Fair, Duration::ZERO);
        drop(state);
        let mut acceptor = lock(&self.acceptor);
        if let Acceptor::Refusing { .. } = *acceptor {
            let listening =
                self.socket().listen(1024).unwrap_or_else(|error| panic!("cannot listen: {error}"));
            *acceptor = Acceptor::Listening(tokio::spawn(accept(listening, Arc::clone(&self.network))));
        }
    }

    /// Everything takes this much longer, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.network.state().delay = delay;
    }

    /// New connections are refused by the kernel, as where no server listens. Others stay.
    ///
    /// # Panics
    /// Something else takes the port in the moment when nobody has it.
    pub async fn refuse(&self) {
        let listening = match &mut *lock(&self.acceptor) {
            Acceptor::Listening(acceptor) => Some(std::mem::replace(acceptor, tokio::spawn(async {}))),
            Acceptor::Refusing { .. } => None,
        };
        if let Some(acceptor) = listening {
            acceptor.abort();
            // Its end, an error as it was aborted, closes the listener.
            let _ = acceptor.await;
            *lock(&self.acceptor) = Acceptor::Refusing { _socket: self.socket() };
        }
    }

    /// New connections are accepted and closed before a word is said. Others stay.
    pub fn close_new(&self) {
        self.network.state().weather = Weather::Closing;
    }

    /// Nothing comes through any more, not even the news that a connection is closed, and what is sent is lost.
    pub fn black_hole(&self) {
        let mut state = self.network.state();
        state.weather = Weather::BlackHole;
        state.links.values().for_each(|link| _ = link.send(Order::Swallow));
    }

    /// Ends every connection.
    pub fn cut(&self, how: Cut) {
        self.network.state().links.values().for_each(|link| _ = link.send(Order::Cut(how)));
    }

    /// Ends one of the connections, `which` counted around; `false` when there is none.
    pub fn cut_one(&self, which: usize, how: Cut) -> bool {
        let state = self.network.state();
        let link = state.links.values().cycle().nth(which % state.links.len().max(1));
        link.is_some_and(|link| link.send(Order::Cut(how)).is_ok())
    }

    /// After `others` more requests to the server, the answer to the next is lost: the server gets the request, what it
    /// then says is swallowed, and the connection ends.
    pub fn lose_answer(&self, others: usize, how: Cut) {
        self.network.state().to_lose = Some((others, how));
    }

    /// Whether the request whose answer is to be lost has been sent.
    pub fn has_lost_answer(&self) -> bool {
        self.network.state().to_lose.is_none()
    }

    /// How many connections have been made so far; those that were refused do not count.
    pub fn connections(&self) -> u64 {
        self.network.state().connections
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.network.state().links.len()
    }

    /// How many times so far the server has answered what the client had sent: the round trips.
    pub fn turns(&self) -> u64 {
        self.network.state().turns
    }

    /// How many statements have been sent so far, those that were then lost included. Under TLS none can be seen.
    pub fn statements(&self) -> u64 {
        self.network.state().statements
    }

    fn socket(&self) -> TcpSocket {
        let socket = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            // Of two that do not listen, both may have the port.
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
            Ok::<_, io::Error>(socket)
        };
        socket().unwrap_or_else(|error| panic!("cannot take the proxy's port again: {error}"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Acceptor::Listening(acceptor) = &*lock(&self.acceptor) {
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
    address.unwrap_or_else(|error| panic!("no address: {error}"))
}

/// `host:port` in the URL.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

fn host(url: &str) -> String {
    place(url).rsplit_once(':').unwrap_or_else(|| panic!("the URL names no port")).0.to_owned()
}

/// The servers of the tests listen on IPv4 alone, whatever `localhost` may be.
fn target(url: &str) -> String {
    place(url).replace("localhost", "127.0.0.1")
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    for id in 0.. {
        let Ok((client, _)) = listener.accept().await else { return };
        let (link, orders) = unbounded_channel();
        let mut state = network.state();
        // After the proxy listened anew, numbers begin again.
        let id = state.links.last_key_value().map_or(id, |(last, _)| id.max(last + 1));
        state.connections += 1;
        if state.weather != Weather::Closing {
            state.links.insert(id, link);
            drop(state);
            let network = Arc::clone(&network);
            tokio::spawn(async move {
                // Whatever ends a connection, its ends are closed.
                let _ = serve(client, orders, &network).await;
                network.state().links.remove(&id);
            });
        }
    }
}

async fn serve(mut client: TcpStream, orders: UnboundedReceiver<Order>, network: &Network) -> io::Result<()> {
    let (weather, target) = {
        let state = network.state();
        (state.weather, state.target.clone())
    };
    if weather == Weather::BlackHole {
        return swallow(client, orders, network).await;
    }
    client.set_nodelay(true)?;
    let server = match TcpStream::connect(target).await {
        Ok(server) => server,
        // As near to a refusal as it gets, once accepted.
        Err(_) => return end(&mut client, Cut::Rst).await,
    };
    server.set_nodelay(true)?;
    Link {
        client,
        server,
        to_server: Queue::default(),
        to_client: Queue::default(),
        asked: false,
        loses: None,
    }
    .run(orders, network)
    .await
}

struct Link {
    client: TcpStream,
    server: TcpStream,
    to_server: Queue,
    to_client: Queue,
    /// Whether the client was the last to speak.
    asked: bool,
    /// Set once the request has been sent whose answer is to be lost.
    loses: Option<Cut>,
}

impl Link {
    async fn run(mut self, mut orders: UnboundedReceiver<Order>, network: &Network) -> io::Result<()> {
        let (mut sent, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Swallow) => {
                        drop(self.server);
                        return swallow(self.client, orders, network).await;
                    }
                    Some(Order::Cut(how)) => return self.cut(how).await,
                    None => return Ok(()),
                },
                length = self.client.read(&mut sent), if !self.to_server.ends => {
                    let chunk = &sent[..length?];
                    let delay = self.note_sent(chunk, network);
                    self.to_server.push(chunk, delay);
                }
                length = self.server.read(&mut answered), if !self.to_client.ends => {
                    let chunk = &answered[..length?];
                    if let Some(how) = self.loses {
                        return self.cut(how).await;
                    }
                    let delay = self.note_answered(network);
                    self.to_client.push(chunk, delay);
                }
                () = self.to_server.due() => self.to_server.write(&mut self.server).await?,
                () = self.to_client.due() => self.to_client.write(&mut self.client).await?,
            }
            if self.to_server.is_done() || self.to_client.is_done() {
                return Ok(());
            }
        }
    }

    fn note_sent(&mut self, chunk: &[u8], network: &Network) -> Duration {
        let mut state = network.state();
        self.asked = true;
        state.statements += u64::from(is_statement(chunk));
        match state.to_lose.take() {
            Some((0, how)) if !chunk.is_empty() => self.loses = Some(how),
            Some((others, how)) => state.to_lose = Some((others - usize::from(!chunk.is_empty()), how)),
            None => {}
        }
        state.delay
    }

    fn note_answered(&mut self, network: &Network) -> Duration {
        let mut state = network.state();
        state.turns += u64::from(std::mem::take(&mut self.asked));
        state.delay
    }

    async fn cut(mut self, how: Cut) -> io::Result<()> {
        end(&mut self.server, how).await?;
        end(&mut self.client, how).await
    }
}

/// What is on its way in one direction.
#[derive(Default)]
struct Queue {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// Whether the sender has closed its side: the last chunk is empty.
    ends: bool,
    is_done: bool,
}

impl Queue {
    fn push(&mut self, chunk: &[u8], delay: Duration) {
        self.ends = chunk.is_empty();
        self.chunks.push_back((Instant::now() + delay, chunk.to_vec()));
    }

    /// Waits until something is to be delivered.
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

    /// Neither PostgreSQL nor its clients talk on when the other side has closed.
    fn is_done(&self) -> bool {
        self.is_done
    }
}

/// The runtime's timer is up to 2 ms late: what is left after it is spent looking at the clock, in turns with all else.
async fn sleep_precisely(due: Instant) {
    sleep_until(due - Duration::from_millis(2)).await;
    while Instant::now() < due {
        yield_now().await;
    }
}

/// A black hole; once the network is well again, what comes is answered with a reset.
async fn swallow(
    mut client: TcpStream,
    mut orders: UnboundedReceiver<Order>,
    network: &Network,
) -> io::Result<()> {
    let mut sent = [0; 16 * 1024];
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Cut(how)) => return end(&mut client, how).await,
                Some(Order::Swallow) => {}
                None => return Ok(()),
            },
            length = client.read(&mut sent) => {
                let length = length?;
                if length == 0 {
                    return Ok(());
                }
                let is_well = {
                    let mut state = network.state();
                    state.statements += u64::from(is_statement(&sent[..length]));
                    state.weather != Weather::BlackHole
                };
                if is_well {
                    return end(&mut client, Cut::Rst).await;
                }
            }
        }
    }
}

/// The stream is to be dropped then.
async fn end(stream: &mut TcpStream, how: Cut) -> io::Result<()> {
    match how {
        Cut::Fin => stream.shutdown().await,
        Cut::Rst => stream.set_zero_linger(),
    }
}

/// `Parse`, with which `query_typed` begins, and `Query`; the password messages are `p`.
fn is_statement(chunk: &[u8]) -> bool {
    matches!(chunk.first(), Some(b'P' | b'Q'))
}

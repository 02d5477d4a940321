//! No socket is forgotten: each way to make one, to give it up and to fail, over and over. Alone in its process, whose descriptors it
//! counts.

use aioli::{
    Builder,
    net::{
        ConnectOptions, TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, sendfile,
        unix_address,
    },
    wait_for,
};
use futures_lite::future::poll_once;
use std::{
    env,
    fs::{self, File},
    path::Path,
    pin::pin,
    process,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(60);

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let (read, write) = accepted.into_split();
    drop(write);
    drop(read);
    drop(stream.into_std());
    // Given up while somebody waits.
    assert!(poll_once(pin!(listener.accept())).await.is_none());
    let connecting = poll_once(pin!(TcpStream::connect(address))).await;
    drop(connecting);
    assert!(TcpListener::bind(address).await.is_err());
    assert!(
        TcpSocket::new_v4()
            .unwrap()
            .bind("192.0.2.1:0".parse().unwrap())
            .is_err()
    );
    drop(listener);
    let options = ConnectOptions::new().happy_eyeballs_delay(Duration::ZERO);
    assert!(options.connect(&[address, address, address][..]).await.is_err());
    assert!(options.connect(("localhost", address.port())).await.is_err());
}

async fn unix(directory: &Path) {
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    assert!(UnixListener::bind(&path).is_err());
    assert!(UnixListener::bind(directory).is_err());
    let stream = UnixStream::connect(&path).await.unwrap();
    listener.accept().await.unwrap();
    let file = File::open("Cargo.toml").unwrap();
    sendfile(&stream, &file, ..).await.unwrap_err();
    let (near, _far) = UnixStream::pair().unwrap();
    sendfile(&near, &file, ..).await.unwrap();
    sendfile(&near, &File::open("/proc/self/environ").unwrap(), ..)
        .await
        .unwrap();
    drop(listener);
    assert!(UnixStream::connect(&path).await.is_err());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(UnixListener::bind(&path).unwrap());
}

async fn datagrams(directory: &Path) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    assert!(poll_once(pin!(socket.recv(&mut [0; 8]))).await.is_none());
    assert!(UdpSocket::bind(socket.local_addr().unwrap()).await.is_err());
    drop(socket.into_std());
    let path = directory.join("datagrams");
    let receiver = UnixDatagram::bind(&path).unwrap();
    assert!(UnixDatagram::bind(&path).is_err());
    let (sender, _other) = UnixDatagram::pair().unwrap();
    sender.send_to(b"x", unix_address(&path).unwrap()).await.unwrap();
    receiver.recv(&mut [0; 8]).await.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn every_descriptor_is_returned() {
    let directory = env::temp_dir().join(format!("aioli-net-descriptors-{}", process::id()));
    fs::create_dir(&directory).unwrap();
    let before = descriptors();
    for workers in [1, 2] {
        Builder::new().workers(workers).build().unwrap().run(async {
            let test = async {
                let mut within = 0;
                for round in 0..50 {
                    tcp().await;
                    unix(&directory).await;
                    datagrams(&directory).await;
                    // The first makes what the loop and the system's library keep.
                    match round {
                        0 => within = descriptors(),
                        _ => assert_eq!(descriptors(), within),
                    }
                }
            };
            wait_for(test, LIMIT).await.expect("the test hangs");
        });
    }
    assert_eq!(descriptors(), before);
    fs::remove_dir_all(&directory).unwrap();
}

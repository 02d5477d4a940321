//! Bytes arrive as they were written.

use super::*;

/// Both ends send at the same time, and read with a buffer of another size.
async fn both_ways(capacity: usize, size: usize, length: usize) {
    let (client, server, ..) = pair(capacity.max(4096)).await;
    let bytes = pattern(length);
    let send = async |wire: &TlsWire| {
        write(wire, &bytes).await.unwrap();
        end(wire, Shutdown::Write).await.unwrap();
    };
    let ((there, back), _) = zip(
        zip(read_to_end(&client, size), read_to_end(&server, size)),
        zip(send(&client), send(&server)),
    )
    .await;
    assert!(
        there.unwrap() == bytes && back.unwrap() == bytes,
        "{capacity} {size} {length}"
    );
}

#[test]
fn all_arrives_whatever_the_sizes() {
    run(|| async {
        for capacity in [5000, 16_384, 100_000] {
            for size in [1, 100, 4095, 4096, 20_000, 300_000] {
                both_ways(capacity, size, 250_000).await;
            }
        }
    });
}

#[test]
fn all_arrives_through_a_wire_that_takes_one_byte_at_a_time() {
    run(|| async {
        let (client, server, left, right) = pair(100_000).await;
        left.set_capacity(1);
        right.set_capacity(1);
        let bytes = pattern(20_000);
        let send = async |wire: &TlsWire| {
            write(wire, &bytes).await.unwrap();
            end(wire, Shutdown::Write).await.unwrap();
        };
        let tasks = zip(
            zip(send(&client), send(&server)),
            zip(read_to_end(&client, 4096), read_to_end(&server, 1)),
        );
        let (_, (back, there)) = tasks.await;
        assert!(there.unwrap() == bytes && back.unwrap() == bytes);
    });
}

#[test]
fn tasks_of_their_own_for_each_direction_do_not_miss_each_others_wakers() {
    run(|| async {
        let (client, server, ..) = pair(5000).await;
        let bytes = Arc::new(pattern(1 << 20));
        let mut tasks = Vec::new();
        for wire in [Arc::new(client), Arc::new(server)] {
            let (writing, bytes) = (wire.clone(), bytes.clone());
            tasks.push(crate::create_task(async move {
                write(&writing, &bytes).await.unwrap();
                end(&writing, Shutdown::Write).await.unwrap();
                0
            }));
            tasks.push(crate::create_task(async move {
                read_to_end(&wire, 8192).await.unwrap().len()
            }));
        }
        let mut lengths = crate::gather(tasks).await.unwrap();
        lengths.sort_unstable();
        assert_eq!(lengths, [0, 0, 1 << 20, 1 << 20]);
    });
}

#[test]
fn many_small_writes_arrive_in_order() {
    run(|| async {
        let (client, server, ..) = pair(10_000).await;
        let sending = async {
            for number in 0..5000_u16 {
                write(&client, &number.to_be_bytes()).await.unwrap();
            }
            end(&client, Shutdown::Write).await.unwrap();
        };
        let (_, all) = zip(sending, read_to_end(&server, 8192)).await;
        let expected: Vec<u8> = (0..5000_u16).flat_map(u16::to_be_bytes).collect();
        assert!(all.unwrap() == expected);
    });
}

#[test]
fn tls_goes_through_tls() {
    run(|| async {
        let (client, server, ..) = pair(5000).await;
        let (client, server) = try_zip(connect(Arc::new(client)), accept(Arc::new(server)))
            .await
            .unwrap();
        let bytes = pattern(200_000);
        let sending = async {
            write(&client, &bytes).await.unwrap();
            end(&client, Shutdown::Write).await.unwrap();
        };
        let (_, all) = zip(sending, read_to_end(&server, 8192)).await;
        assert!(all.unwrap() == bytes);
    });
}

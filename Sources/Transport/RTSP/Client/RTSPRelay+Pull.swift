import Hub
import Media
import NIOCore
import Streaming

// From the other server into the Hub.
extension RTSPRelay {
    /// Of packets that come before the stream is published.
    private static let earlyLimit = 1 << 20
    /// Some cameras stop when they hear nothing for longer (statement 66).
    private static let reportInterval = TimeAmount.seconds(5)

    func setUp(described sdp: ByteBuffer) {
        let stream: DescribedStream
        do {
            stream = try DescribedStream(sdp: Array(sdp.readableBytesView))
        } catch {
            end(.protocolError, "DESCRIBE was answered with \(error)")
            return
        }
        described = stream
        // We have nothing to say on a back channel (statement 76).
        let places = stream.description.media.indices.filter { !stream.description.media[$0].isBackChannel }
        setUp(places) { session, ports in
            session.setUp(
                media: places,
                controls: stream.controls,
                sessionControl: stream.sessionControl,
                ports: ports,
                now: loop.now
            )
        }
    }

    /// The server plays. Where something came already, the stream is ours to publish.
    func accepted() {
        isAccepted = true
        publishEarly()
    }

    func receive(_ packet: ByteBuffer, _ media: Int, _ isRTCP: Bool) {
        take(packet.readableBytesSpan, media, isRTCP, loop.now)
    }

    /// Takes one packet; `feed` of the input afterwards.
    func take(_ packet: RawSpan, _ media: Int, _ isRTCP: Bool, _ now: NIODeadline) {
        if let input {
            input.receive(packet, media: media, isRTCP: isRTCP, now: now)
            return
        }
        guard earlyBytes &+ packet.byteCount <= Self.earlyLimit else { return }
        earlyBytes &+= packet.byteCount &+ 64
        var copy = ByteBuffer()
        copy.writeBytes(packet)
        early.append((media, isRTCP, copy))
        publishEarly()
    }

    /// Publishes the stream with its first packet, as a pull over RTMP does: nothing may come, and over UDP TCP be tried then.
    private func publishEarly() {
        guard isAccepted, !isEnded, publisher == nil, let described, early.contains(where: { !$0.isRTCP })
        else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        var description = order.session
        description.remoteAddress = remoteAddress
        let publisher: StreamPublisher
        do throws(HubError) {
            // A pull never ends a publisher, whatever the policy: it waits until the stream is free.
            publisher = try hub.publish(
                order.stream,
                app: order.app,
                session: description,
                on: loop,
                policy: .reject
            ) { end in
                bound.value.end(.hub, end.description)
            }
        } catch {
            end(.hub, error.description)
            return
        }
        self.publisher = publisher
        let input = RTSPInput(described.description, into: publisher, transport: ports.isEmpty ? .tcp : .udp)
        self.input = input
        nextReport = loop.now + Self.reportInterval
        input.begin()
        tellStarted()
        let packets = early
        early = []
        earlyBytes = 0
        for (media, isRTCP, packet) in packets {
            publisher.count(readBytes: packet.readableBytes)
            input.receive(packet.readableBytesSpan, media: media, isRTCP: isRTCP, now: loop.now)
        }
        input.feed()
        schedule()
    }

    func sendReports(now: NIODeadline) {
        nextReport = now + Self.reportInterval
        for (media, report) in input?.receiverReports(now: now) ?? [] {
            switch self.media[media]?.delivery {
            case .interleaved(let channels):
                var frame = ByteBuffer()
                frame.writeMultipleIntegers(
                    InterleavedFrame.marker,
                    channels.rtcp,
                    UInt16(truncatingIfNeeded: report.count)
                )
                frame.writeBytes(report)
                send(frame)
            case .udp: ports[media]?.send(report: report)
            case nil: break
            }
        }
    }
}

import Hub
import Media
import NIOCore
import Streaming
import Wire

// From the Hub to the other server.
extension RTSPRelay {
    /// The connection is up: finds out what there is to announce.
    func askHub() {
        var description = order.session
        description.remoteAddress = remoteAddress
        do throws(HubError) {
            let reservation = try hub.reserve(order.stream, app: order.app, session: description, on: loop)
            self.reservation = reservation
            reservation.describe(within: order.options.timeout ?? .seconds(60)) { [weak self] result in
                guard let self, !isEnded else { return }
                switch result {
                case .success(let offer): announce(offer)
                case .failure(.noMedia): end(.hub, "the stream \(order.stream) has nothing that RTSP carries")
                case .failure: end(.hub, "the stream \(order.stream) has no publisher")
                }
            }
        } catch {
            end(.hub, error.description)
        }
    }

    private func announce(_ offer: RTPOffer) {
        self.offer = offer
        // What a camera offers to take is no part of what it sends; the others stand close together then.
        let sent = offer.description.media.filter { !$0.isBackChannel }
        let origin = SessionDescription.Origin(
            sessionID: "1",
            version: "1",
            host: channel?.localAddress?.ipAddress ?? "127.0.0.1"
        )
        let sdp = StreamDescription(name: offer.description.name, media: sent).sessionDescription(origin: origin)
        begin(.publisher(sdp: sdp.serialized(), mediaCount: sent.count))
        startSession()
    }

    /// The places that the announced medias have in the Hub's description.
    private var places: [Int] {
        offer?.description.media.indices.filter { offer?.description.media[$0].isBackChannel == false } ?? []
    }

    func setUpAnnounced() {
        setUp(Array(places.indices)) { session, ports in session.setUp(ports: ports, now: loop.now) }
    }

    /// The server records: the stream's readers are one more.
    func push() {
        guard let channel, let offer, let reservation else { return }
        var channels: [UInt8?] = Array(repeating: nil, count: offer.description.media.count)
        var datagrams: [RTSPDatagramPorts?] = Array(repeating: nil, count: channels.count)
        for (announced, place) in places.enumerated() {
            switch media[announced]?.delivery {
            case .interleaved(let own): channels[place] = own.rtp
            case .udp(_, .some, _):
                channels[place] = InterleavedFrame.channel(ofMedia: place)
                datagrams[place] = ports[announced]
            case .udp(_, nil, _):
                end(.protocolError, "SETUP was answered without the server's ports")
                return
            case nil: break
            }
        }
        let delivery: RTPDelivery =
            ports.isEmpty
            ? .interleaved(channel, url.isTLS ? .channel : .descriptor) { _ in ByteBuffer() }
            : .datagrams(RTSPDatagramReader(datagrams)) { _ in }
        let reading = RTPReading(description: offer.description, channels: channels)
        self.reservation = nil
        do throws(HubError) {
            viewer = try hub.read(reservation, reading, over: delivery) { [weak self] in self?.released($0) }
            tellStarted()
        } catch {
            end(.hub, error.description)
        }
    }

    /// The Hub ends the push, and over TCP its channel behind what is returned.
    private func released(_ reason: Viewer.CloseReason) -> ByteBuffer? {
        let goodbye = viewer?.channel == nil ? nil : takeGoodbye()
        viewer = nil
        switch reason {
        case .publisherGone, .abandoned: end(.hub, "the stream \(order.stream) has no publisher")
        case .kicked: end(.hub, "ended by the API")
        case .shutdown: end(.hub, "the server shuts down")
        case .unsupportedCodec(let codec): end(.hub, "the other server takes no \(codec.rawValue)")
        case .descriptionChanged: end(.hub, "the stream \(order.stream) consists of other medias now")
        case .stalled: end(.lost, "\(remoteAddress) takes no more bytes")
        case .channelClosed, .sendFailed: end(.lost, "the connection to \(remoteAddress) is closed")
        }
        return goodbye
    }
}

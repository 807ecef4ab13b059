import Testing

@testable import Streaming

@Suite("RTSP's Transport field")
struct RTSPTransportTests {
    struct Sample: Sendable {
        var name: String
        var text: String
        var expected: RTSPTransport
    }

    private static func transport(
        _ lower: RTSPTransport.Lower,
        _ change: (inout RTSPTransport) -> Void
    ) -> RTSPTransport {
        var transport = RTSPTransport(lower)
        change(&transport)
        return transport
    }

    static let samples = [
        Sample(
            name: "30: FFmpeg over UDP",
            text: "RTP/AVP/UDP;unicast;client_port=22702-22703",
            expected: .udp(clientPort: RTSPPorts(22702, 22703))
        ),
        Sample(
            name: "30: FFmpeg publishes over TCP",
            text: "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record",
            expected: transport(.tcp) {
                $0.channels = RTSPChannels(0, 1)
                $0.mode = .record
            }
        ),
        Sample(
            name: "31: GStreamer's rtspclientsink",
            text: "RTP/AVP/TCP;unicast;interleaved=0-1;mode=\"RECORD\"",
            expected: transport(.tcp) {
                $0.channels = RTSPChannels(0, 1)
                $0.mode = .record
            }
        ),
        Sample(
            name: "31: blanks, other cases, another order",
            text: " Interleaved=2-3 ; UNICAST; rtp/avp/tcp ; MODE=play",
            expected: transport(.tcp) {
                $0.channels = RTSPChannels(2, 3)
                $0.mode = .play
            }
        ),
        Sample(
            name: "31: receive means record",
            text: "RTP/AVP;unicast;client_port=8000-8001;mode=receive",
            expected: transport(.udp) {
                $0.clientPort = RTSPPorts(8000, 8001)
                $0.mode = .record
            }
        ),
        Sample(
            name: "32: one port",
            text: "RTP/AVP;unicast;client_port=14186",
            expected: .udp(clientPort: RTSPPorts(14186, 14187))
        ),
        Sample(
            name: "33: an odd beginning",
            text: "RTP/AVP/TCP;unicast;interleaved=5-6",
            expected: .tcp(RTSPChannels(5, 6))
        ),
        Sample(
            name: "34: Hikvision's ssrc with an odd length",
            text: "RTP/AVP;unicast;client_port=3056-3057;server_port=5000-5001;ssrc=4317f;mode=\"play\"",
            expected: transport(.udp) {
                $0.clientPort = RTSPPorts(3056, 3057)
                $0.serverPort = RTSPPorts(5000, 5001)
                $0.ssrc = 0x4317F
                $0.mode = .play
            }
        ),
        Sample(
            name: "34: blanks before the ssrc",
            text: "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=    6D6A53AB",
            expected: transport(.tcp) {
                $0.channels = RTSPChannels(0, 1)
                $0.ssrc = 0x6D6A_53AB
            }
        ),
        Sample(
            name: "34: Dahua's ssrc is too long, and its source is empty",
            text: "RTP/AVP/TCP;unicast;source=;interleaved=0-1;ssrc=B93BC1B5B93BC1B5",
            expected: .tcp(RTSPChannels(0, 1))
        ),
        Sample(
            name: "38: multicast with destination and ttl",
            text: "RTP/AVP;multicast;destination=225.219.201.15;port=7000-7001;ttl=127",
            expected: transport(.udp) {
                $0.isMulticast = true
                $0.destination = "225.219.201.15"
                $0.port = RTSPPorts(7000, 7001)
                $0.ttl = 127
            }
        ),
        Sample(
            name: "79: a source that is a name, ports 0-1",
            text: "RTP/AVP/UDP;unicast;source=camera.local;client_port=24000-24001;server_port=0-1",
            expected: transport(.udp) {
                $0.source = "camera.local"
                $0.clientPort = RTSPPorts(24000, 24001)
                $0.serverPort = RTSPPorts(0, 1)
            }
        ),
        Sample(
            name: "30: a secure profile",
            text: "RTP/SAVP/TCP;unicast;interleaved=0-1",
            expected: transport(.tcp) {
                $0.isSecure = true
                $0.channels = RTSPChannels(0, 1)
            }
        ),
    ]

    @Test("29-39: what vendors write is read", arguments: samples)
    func reads(_ sample: Sample) throws {
        #expect(try RTSPTransport(sample.text[...]) == sample.expected, "\(sample.name)")
        // What is written reads as the same.
        #expect(try RTSPTransport(sample.expected.text[...]) == sample.expected)
    }

    @Test("29: alternatives come in the client's order, and those that cannot be read are left out")
    func alternatives() throws {
        let headers: RTSPHeaders = [
            "Transport": "RTP/AVP/QUIC;unicast,RTP/AVP/UDP;multicast, RTP/AVP;unicast;client_port=35466-35467,"
                + "RTP/AVP/TCP;unicast;interleaved=0-1"
        ]
        let all = try RTSPTransport.alternatives(headers)
        #expect(all.map(\.lower) == [.udp, .udp, .tcp])
        #expect(all.map(\.isMulticast) == [true, false, false])
    }

    @Test(
        "30: no profile is a fault, another one is unknown",
        arguments: [
            ("", RTSPTransport.Fault.malformed), ("unicast;client_port=1-2", .malformed),
            ("RTP/AVP;client_port=a-b", .malformed), ("RTP/AVP;client_port=1-2-3", .malformed),
            ("RTP/AVP;client_port=65536-65537", .malformed), ("RTP/AVP;client_port=65535", .malformed),
            ("RTP/AVP/TCP;interleaved=255", .malformed), ("RTP/AVP/TCP;interleaved=-1", .malformed),
            ("x-real-rdt/udp;client_port=1-2", .unknownProfile), ("MP2T/H2221/UDP;unicast", .unknownProfile),
        ]
    )
    func faults(text: String, fault: RTSPTransport.Fault) {
        #expect(throws: fault) { try RTSPTransport.alternatives(["Transport": text]) }
    }

    @Test("a server's parameters that cannot be read are as if they were absent")
    func lenient() throws {
        let transport = try RTSPTransport("RTP/AVP;unicast;client_port=a;server_port=;ttl=x;source=h", isLenient: true)
        #expect(transport == Self.transport(.udp) { $0.source = "h" })
    }

    @Test("38: the answers' form")
    func writes() {
        var udp = RTSPTransport.udp(clientPort: RTSPPorts(5000, 5001), serverPort: RTSPPorts(8000, 8001))
        udp.ssrc = 0xAB
        #expect(udp.text == "RTP/AVP/UDP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=000000AB")
        #expect(RTSPTransport.tcp(RTSPChannels(2, 3)).text == "RTP/AVP/TCP;unicast;interleaved=2-3")
    }
}

import NIOCore

/// Message types that this product reads or writes (RTMP 1.0 sections 5.4 and 7.1).
enum RTMPMessageType: UInt8, Sendable {
    case setChunkSize = 1
    case abort = 2
    case acknowledgement = 3
    case userControl = 4
    case windowAcknowledgementSize = 5
    case setPeerBandwidth = 6
    case audio = 8
    case video = 9
    case dataAMF3 = 15
    case commandAMF3 = 17
    case dataAMF0 = 18
    case commandAMF0 = 20
    case aggregate = 22
}

/// A message as the chunk reader puts it together.
struct RTMPMessage: Hashable, Sendable {
    var type: UInt8
    var timestamp: UInt32
    var streamID: UInt32
    var body: ByteBuffer
}

import Media
import Streaming

/// Input: a request target below `/hls/`, or a playlist that was written before, in any bytes.
func fuzzHLSRequest(_ input: [UInt8]) {
    let text = String(decoding: input, as: UTF8.self)
    if let request = try? HLSRequest(target: "/hls/" + text) {
        precondition(!request.stream.isEmpty && !request.stream.contains("..") && !request.stream.utf8.contains(0x2F))
        if case .media(let name) = request.resource {
            precondition(!name.isEmpty && !name.contains("..") && !name.utf8.contains(0x2F))
        }
        let query = request.childQuery
        precondition(!query.utf8.contains { $0 <= 0x20 || $0 == 0x22 || $0 == 0x23 || $0 >= 0x7F })
        precondition(!query.contains("_HLS_"))
    }
    let record = HLSRecord(text)
    _ = record.playlist(query: "a=1")
    if let range = HTTPByteRange("bytes=" + text) {
        for length in [0, 1, 1000] {
            if let part = range.resolve(length: length) {
                precondition(!part.isEmpty && part.upperBound <= length)
            }
        }
    }
}

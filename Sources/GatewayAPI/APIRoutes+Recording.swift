internal import Gateway

extension APIRoute {
    /// HLS and recordings.
    static let recording: [String: APIRoute] = [
        "/api/stat/hls": APIRoute(emptyData: JSONTreeEncoder.tree(HLSStats(streams: []))) { _, control in
            JSONTreeEncoder.tree(HLSStats(streams: await control.hlsStreams()))
        },
        "/api/ctrl/start_record": APIRoute(emptyData: emptyTask) { request, control in
            let parameters = try APIParameters(body: request)
            let record = StartRecordRequest(
                streamName: try parameters.requiredStreamName(),
                format: try parameters.string("format") ?? "fmp4",
                segmentDurationSec: try number("segment_duration_sec", parameters, 0...604_800),
                segmentSizeMb: try number("segment_size_mb", parameters, 0...1_048_576)
            )
            return JSONTreeEncoder.tree(try await control.startRecord(record))
        },
        "/api/ctrl/stop_record": APIRoute(emptyData: emptyTask) { request, control in
            let parameters = try APIParameters(body: request)
            let id = try parameters.integer("record_id", default: 0)
            let name = try parameters.requiredStreamName()
            return JSONTreeEncoder.tree(try await control.stopRecord(streamName: name, recordID: id == 0 ? nil : id))
        },
        "/api/ctrl/delete_record": APIRoute(emptyData: nil) { request, control in
            try await control.deleteRecord(Int64(try APIParameters(body: request).requiredInteger("id")))
            return nil
        },
        "/api/stat/records": APIRoute(emptyData: JSONTreeEncoder.tree(RecordStats(records: []))) { _, control in
            JSONTreeEncoder.tree(RecordStats(records: await control.records()))
        },
        "/api/stat/record_files": APIRoute(
            emptyData: JSONTreeEncoder.tree(RecordFiles(files: [], total: 0))
        ) { request, control in
            let files = RecordFilesRequest(
                streamName: request.value("stream_name") ?? "",
                from: try request.number("from").map { Int64($0) },
                to: try request.number("to").map { Int64($0) },
                limit: try request.number("limit") ?? 100,
                offset: try request.number("offset") ?? 0
            )
            return JSONTreeEncoder.tree(try await control.recordFiles(files))
        },
    ]

    private static let emptyTask = JSONTreeEncoder.tree(RecordTask(streamName: "", recordID: 0))

    private static func number(
        _ name: String,
        _ parameters: APIParameters,
        _ range: ClosedRange<Int>
    ) throws -> Int {
        let value = try parameters.integer(name, default: 0)
        guard range.contains(value) else {
            throw ControlError.paramMissing("\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}

extension APIRequest {
    /// A number of the query that is not negative; nil when it is not there.
    func number(_ name: String) throws -> Int? {
        guard let text = value(name), !text.isEmpty else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw ControlError.paramMissing("\(name) is \"\(text)\", expected a number")
        }
        return number
    }
}

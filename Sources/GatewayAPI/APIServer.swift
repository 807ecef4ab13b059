package import Gateway
internal import Glibc
internal import HTTPTypes
internal import Hummingbird
package import Logging
package import NIOCore
internal import ServiceLifecycle
internal import Streaming

/// The HTTP API and the web console on their own port.
package struct APIServer: Service {
    /// Requests are small; a larger body is refused.
    static let maximumBody = 64 << 10

    private let address: ListenAddress
    private let answerer: APIAnswerer
    private let group: any EventLoopGroup
    private let logger: Logger
    private let onBound: @Sendable (SocketAddress) async -> Void

    /// Throws ``ConfigurationError`` when the address may not be listened on without a token.
    /// - Parameter onBound: told the bound address, with the real port where port 0 was configured.
    package init(
        configuration: HTTPAPISection,
        control: any GatewayControl,
        group: any EventLoopGroup,
        logger: Logger,
        onBound: @escaping @Sendable (SocketAddress) async -> Void = { _ in }
    ) throws {
        address = try configuration.permittedAddress()
        answerer = APIAnswerer(control: control, token: configuration.token, logger: logger)
        self.group = group
        self.logger = logger
        self.onBound = onBound
    }

    package func run() async throws {
        var quiet = logger
        quiet.logLevel = .warning
        let application = Application(
            responder: APIResponder(answerer: answerer),
            server: .http1(configuration: .init(idleTimeout: .seconds(75))),
            configuration: .init(
                address: .hostname(address.bindHost, port: address.port),
                serverName: "gbgate",
                availableConnectionsDelegate: .maximum(1024, logger: quiet)
            ),
            onServerRunning: { [logger, onBound] channel in
                guard let bound = channel.localAddress else { return }
                let addr = "\(bound.ipAddress ?? ""):\(bound.port ?? 0)"
                logger.notice("api listens", metadata: ["addr": "\(addr)"])
                await onBound(bound)
            },
            eventLoopGroupProvider: .shared(group),
            logger: quiet
        )
        do {
            try await application.run()
        } catch let error as IOError {
            throw APIListenError(address: address, cause: error)
        }
    }
}

/// The API's port could not be opened.
package struct APIListenError: Error, CustomStringConvertible {
    package let address: ListenAddress
    package let cause: IOError

    package var description: String {
        "http api: listen on \(address): \(String(cString: strerror(cause.errnoCode))); is another gbgate or lal running? http_api.addr moves it"
    }
}

/// Translates between Hummingbird and ``APIAnswerer``.
private struct APIResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let answerer: APIAnswerer

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        if let response = WebResponder.respond(to: request) { return response }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: APIServer.maximumBody)
        } catch is NIOTooManyBytesError {
            let error = ControlError.paramMissing("the body is larger than \(APIServer.maximumBody) bytes")
            return response(.failure(error, data: nil, status: 413), to: request)
        }
        let ask = APIRequest(
            method: request.method.rawValue,
            path: request.uri.path,
            query: request.uri.queryParameters.map { (String($0.key), String($0.value)) },
            authorization: request.headers[.authorization],
            isPreflight: request.method == .options && request.headers[.accessControlRequestMethod] != nil,
            body: Array(body.readableBytesView)
        )
        switch await answerer.download(ask) {
        case .found(let download): return try await self.download(download, for: request, context)
        case .refused(let refusal): return response(refusal, to: request)
        case nil: return response(await answerer.answer(ask), to: request)
        }
    }

    private func download(
        _ download: ControlDownload,
        for request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        var headers: HTTPFields = [
            .contentType: download.contentType, .acceptRanges: "bytes", .cacheControl: "no-store",
            .accessControlAllowOrigin: "*", .xContentTypeOptions: "nosniff",
            // RFC 8187: the name may hold any letter.
            .contentDisposition: "inline; filename*=UTF-8''\(APIFileName.encoded(download.name))",
        ]
        switch download.body {
        case .bytes(let bytes):
            headers[.contentLength] = "\(bytes.count)"
            let body = request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
            return Response(status: .ok, headers: headers, body: body)
        case .file(let path, let size):
            let range = request.headers[.range].flatMap { HTTPByteRange($0) }
            var part = 0..<size
            if let range {
                guard let found = range.resolve(length: size) else {
                    headers[.contentRange] = "bytes */\(size)"
                    return Response(status: .rangeNotSatisfiable, headers: headers)
                }
                part = found
                headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)"
            }
            headers[.contentLength] = "\(part.count)"
            let status: HTTPResponse.Status = range == nil ? .ok : .partialContent
            guard request.method != .head, !part.isEmpty else { return Response(status: status, headers: headers) }
            let body = try await FileIO().loadFile(
                path: path,
                range: part.lowerBound...(part.upperBound - 1),
                context: context
            )
            return Response(status: status, headers: headers, body: body)
        }
    }

    private func response(_ answer: APIResponse, to request: Request) -> Response {
        let body = ByteBuffer(string: answer.json.text)
        var headers: HTTPFields = [
            .contentType: "application/json",
            .contentLength: "\(body.readableBytes)",
            .cacheControl: "no-store",
            .accessControlAllowCredentials: "true",
            .accessControlAllowOrigin: "*",
            .accessControlAllowHeaders: "Content-Type, Authorization",
        ]
        if answer.status == 401 { headers[.wwwAuthenticate] = "Bearer realm=\"gbgate\"" }
        return Response(
            status: .init(code: answer.status),
            headers: headers,
            body: request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: body)
        )
    }
}

-- title: A topic or queue opened to everyone
-- answers: Which SNS topics and SQS queues were given a policy for any principal?
-- severity: high
-- outcomes: both
-- mitre: TA0010:T1537
-- tags: sns, sqs, policies
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'topicArn'), element_at(requestParameters, 'queueUrl')) AS target,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE (eventSource = 'sns.amazonaws.com' AND eventName = 'SetTopicAttributes'
       AND element_at(requestParameters, 'attributeName') = 'Policy'
       AND regexp_like(element_at(requestParameters, 'attributeValue'), '("Principal"|"AWS")\s*:\s*\[?\s*"\*"'))
   OR (eventSource = 'sqs.amazonaws.com' AND eventName = 'SetQueueAttributes'
       AND regexp_like(json_extract_scalar(element_at(requestParameters, 'attributes'), '$.Policy'),
                       '("Principal"|"AWS")\s*:\s*\[?\s*"\*"'))
ORDER BY eventTime, eventID
